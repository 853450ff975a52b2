package service

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func example() Service {
	return Service{
		Name: "ports-default", What: "docker-vpn-helper: published ports of default", Home: "/Users/me", UID: 501,
		Argv: []string{"/usr/local/bin/docker-vpn-helper", "-s", `/Volumes/A & "B" 100%$x`, "ports", "follow", "default"},
		Env:  []string{"PATH=/usr/local/bin:/usr/bin", `ODD=<a> "b" 5% \`},
	}
}

// The keys that launchd.plist(5) documents, of those that are used here, with their types.
var documented = map[string]string{
	"Label": "string", "ProgramArguments": "array", "EnvironmentVariables": "dict", "RunAtLoad": "true", "KeepAlive": "dict",
	"ProcessType": "string", "StandardOutPath": "string", "StandardErrorPath": "string",
}

func TestAgentHasDocumentedKeys(t *testing.T) {
	d := example().For(host.Darwin)
	if d.Path != "/Users/me/Library/LaunchAgents/com.docker-vpn-helper.ports-default.plist" {
		t.Errorf("path %s", d.Path)
	}
	got, words := map[string]string{}, []string{}
	depth, key, inside := 0, "", ""
	for r := xml.NewDecoder(strings.NewReader(d.Text)); ; {
		token, err := r.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			inside = e.Name.Local
			if depth == 3 && inside != "key" {
				got[key] = inside
			}
		case xml.EndElement:
			depth--
			inside = ""
		case xml.CharData:
			if depth == 3 && inside == "key" {
				key = string(e)
			}
			if inside == "string" {
				words = append(words, string(e))
			}
		}
	}
	if diff := cmp.Diff(documented, got); diff != "" {
		t.Errorf("keys of launchd.plist(5), -want +got:\n%s", diff)
	}
	for _, word := range append(example().Argv, "/usr/local/bin:/usr/bin", `<a> "b" 5% \`) {
		if !slices.Contains(words, word) {
			t.Errorf("%q is missing in %q", word, words)
		}
	}
	if diff := cmp.Diff([][]string{{"launchctl", "bootstrap", "gui/501", d.Path}}, d.Start); diff != "" {
		t.Error(diff)
	}
}

func TestUnit(t *testing.T) {
	want := `[Unit]
Description=docker-vpn-helper: published ports of default
StartLimitIntervalSec=0

[Service]
ExecStart="/usr/local/bin/docker-vpn-helper" "-s" "/Volumes/A & \"B\" 100%%$$x" "ports" "follow" "default"
Environment="PATH=/usr/local/bin:/usr/bin"
Environment="ODD=<a> \"b\" 5%% \\"
Restart=on-failure
RestartSec=5

[Install]
WantedBy=default.target
`
	d := example().For(host.Linux)
	if diff := cmp.Diff(want, d.Text); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if d.Path != "/Users/me/.config/systemd/user/docker-vpn-helper-ports-default.service" {
		t.Errorf("path %s", d.Path)
	}
}

func TestStablePath(t *testing.T) {
	for program, want := range map[string]string{
		"/opt/homebrew/Cellar/docker-vpn-helper/0.1.0/bin/docker-vpn-helper": "/opt/homebrew/bin/docker-vpn-helper",
		"/usr/local/bin/docker-vpn-helper":                                   "/usr/local/bin/docker-vpn-helper",
		"/gone/Cellar/docker-vpn-helper/0.1.0/bin/docker-vpn-helper":         "/gone/Cellar/docker-vpn-helper/0.1.0/bin/docker-vpn-helper",
	} {
		if got := Stable(program, func(path string) bool { return path == "/opt/homebrew/bin/docker-vpn-helper" }); got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
}
