package target

import (
	"errors"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Ref{
		"default":                   {Machine, "default"},
		"machine:default":           {Machine, "default"},
		"machine:local":             {Machine, "local"},
		"machine:ssh.example.com":   {Machine, "ssh.example.com"},
		"local":                     {Kind: Local},
		"localhost":                 {Machine, "localhost"},
		"ssh://build":               {SSH, "build"},
		"ssh://me@build:2222":       {SSH, "me@build:2222"},
		"ssh://me@[fd00::1]:22":     {SSH, "me@[fd00::1]:22"},
		"ssh://[fd00::1]":           {SSH, "[fd00::1]"},
		"ssh://build/":              {SSH, "build"},
		"ssh://build/run/d.sock":    {SSH, "build/run/d.sock"},
		"tcp://192.0.2.1:2376":      {TCP, "192.0.2.1:2376"},
		"tcp://build.example.com":   {TCP, "build.example.com:2376"},
		"tcp://[fd00::1]:2376/":     {TCP, "[fd00::1]:2376"},
		"context:colima":            {Context, "colima"},
		"context:default":           {Context, "default"},
		"context:machine:default":   {Context, "machine:default"},
		"context:me@build (office)": {Context, "me@build (office)"},
	} {
		got, err := Parse(text, func(name string) bool { return false })
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
			continue
		}
		if again, err := Parse(got.String(), func(string) bool { return false }); err != nil || again != got {
			t.Errorf("%s is %s in full, and that is %+v, %v", text, got, again, err)
		}
		if back, err := RefOfState(escaped(got)); err != nil || back != got {
			t.Errorf("%s as a directory is %+v, %v", text, back, err)
		}
	}
}

func escaped(r Ref) string { return HostState("", r.String())[len("hosts/"):] }

func TestAMachineCalledLocalOutranksTheForm(t *testing.T) {
	if got, err := Parse("local", func(name string) bool { return name == "local" }); err != nil || got != (Ref{Machine, "local"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"ssh://", "ssh://me:secret@build", "ssh://-oProxyCommand=x", "ssh://-l@build", "ssh://build?x", "ssh://build#x", "ssh://build:x", "ssh://a b",
		"ssh://build:70000", "tcp://", "tcp://build:0", "tcp://build:99999", "tcp://me@build:1", "tcp://build:2376/path", "tcp://:2376", "context:", "unix:///var/run/docker.sock", "npipe:////./pipe/docker",
		"http://build", "machine:", "machine:-x", "a b", "", "-x", "a/b",
	} {
		got, err := Parse(text, func(string) bool { return false })
		var ref *RefError
		var name *store.NameError
		if !errors.As(err, &ref) && !errors.As(err, &name) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
