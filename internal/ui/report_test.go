package ui

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// broken is a machine under a VPN.
func broken() engine.Report {
	one := func(layer string, status engine.Status, code, title, next string) engine.LayerReport {
		return engine.LayerReport{Layer: layer, Status: status, Findings: []engine.Finding{{Code: code, Status: status, Title: title, Hint: hint.Shell(next)}}}
	}
	return engine.Report{
		Machine: "default", Endpoint: "tcp://localhost:2376", EndpointNow: "tcp://192.168.99.100:2376", Status: engine.Fail, Verdict: engine.Blocked, Cause: "forward.rule-missing",
		Layers: []engine.LayerReport{
			one("machine", engine.OK, "machine.ok", "VM running", ""),
			one("route", engine.Warn, "route.hijacked", "VPN: 192.168.99.100 goes into utun4 (Cisco Secure Client) instead of vboxnet0", ""),
			one("forward", engine.Fail, "forward.rule-missing", "no NAT rule for port 2376 of the VM", "docker-vpn-helper fix default"),
			one("ssh", engine.Unknown, "ssh.unknown", "could not tell: \x1b[31mred\x1b[0m", "docker-vpn-helper -s '/Users/somebody/with a long name/machines' doctor default"),
			{Layer: "tls", Status: engine.Blocked, BlockedBy: "ssh"},
			{Layer: "daemon", Status: engine.Blocked, BlockedBy: "forward"},
			one("env", engine.Warn, "env.unset", "DOCKER_HOST is not set in this shell", `eval "$(docker-vpn-helper env default)"`),
		},
	}
}

var fixIt = Step{Label: "Fix it:", Command: `eval "$(docker-vpn-helper fix default)"`}

// screen is a UI on a terminal that is a buffer.
func screen(columns int, env map[string]string) (*UI, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	u := New(strings.NewReader(""), &out, &err, func(k string) string { return env[k] })
	u.outTerm, u.errTerm, u.columns = true, true, func() int { return columns }
	return u, &out, &err
}

func TestReportOnEveryScreen(t *testing.T) {
	utf8, latin := map[string]string{"LANG": "de_DE.UTF-8", "TERM": "xterm"}, map[string]string{"LANG": "C", "TERM": "xterm"}
	for name, c := range map[string]struct {
		columns int
		env     map[string]string
		color   Color
	}{
		"20-plain":     {20, utf8, Never},
		"40-color":     {40, utf8, Auto},
		"80-color":     {80, utf8, Auto},
		"200-color":    {200, utf8, Auto},
		"40-plain":     {40, utf8, Never},
		"80-plain":     {80, utf8, Never},
		"200-plain":    {200, utf8, Never},
		"80-ascii":     {80, latin, Never},
		"80-no-color":  {80, map[string]string{"LANG": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}, Auto},
		"80-dumb":      {80, map[string]string{"TERM": "dumb"}, Auto},
		"80-dumb-utf8": {80, map[string]string{"LC_ALL": "en_US.utf8", "TERM": "dumb"}, Auto},
	} {
		t.Run(name, func(t *testing.T) {
			u, out, _ := screen(c.columns, c.env)
			u.Color = c.color
			u.Report(broken(), fixIt)
			golden(t, "report-"+name, out.Bytes())
		})
	}
}

// Checks have the marks, the colors and the indentation of a report.
func TestChecksLookLikeAReport(t *testing.T) {
	r := engine.Report{Machine: "local", Verdict: engine.Fail}
	for _, c := range []struct {
		name, text string
		status     engine.Status
	}{{"certificates", "the server certificate names localhost, until 2027-01-01", engine.OK}, {"address", "127.0.0.1:4242 is in use", engine.Warn}, {"socket", "no \x1bsocket", engine.Fail}} {
		r.Layers = append(r.Layers, engine.LayerReport{Layer: c.name, Status: c.status, Findings: []engine.Finding{{Status: c.status, Title: c.text}}})
	}
	for _, c := range []struct {
		color Color
		want  string
	}{
		{Never, "local  docker fails\n  ✓ certificates the server certificate\n                 names localhost, until\n                 2027-01-01\n  ! address      127.0.0.1:4242 is in use\n  ✗ socket       no �socket\n"},
		{Auto, "\x1b[1mlocal\x1b[22m  \x1b[31mdocker fails\x1b[0m\n  \x1b[32m✓\x1b[0m certificates the server certificate\n                 names localhost, until\n                 2027-01-01\n" +
			"  \x1b[33m!\x1b[0m address      127.0.0.1:4242 is in use\n  \x1b[31m✗\x1b[0m socket       no �socket\n"},
	} {
		u, out, _ := screen(42, map[string]string{"LANG": "C.UTF-8", "TERM": "xterm"})
		u.Color = c.color
		u.Checks("docker fails", r)
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.color, diff)
		}
	}
}

// A pipe gets the same lines whatever the terminal around it is.
func TestReportInAPipe(t *testing.T) {
	u, out, _ := screen(80, map[string]string{"LANG": "C", "TERM": "dumb"})
	u.outTerm, u.columns = false, nil
	r := broken()
	r.Layers[1].Findings[0].Title += ": a line of a pipe stays a line however long it is, since grep knows no other"
	u.Report(r, fixIt)
	u.Report(r, fixIt)
	golden(t, "report-pipe", out.Bytes())
}

func TestSpinnerLine(t *testing.T) {
	begun := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(machine, what string) step { return step{machine: machine, what: what, since: begun} }
	layers := []step{at("default", "ssh"), at("default", "tls"), at("default", "daemon")}
	for name, c := range map[string]struct {
		steps   []step
		after   time.Duration
		width   int
		unicode bool
		want    string
	}{
		"nothing":            {nil, time.Minute, 38, true, ""},
		"quick":              {layers, 300 * time.Millisecond, 38, true, ""},
		"one_machine":        {layers, 2100 * time.Millisecond, 38, true, "⠋ default: ssh, tls, daemon 2.1 s"},
		"ascii":              {layers, 2100 * time.Millisecond, 38, false, "| default: ssh, tls, daemon 2.1 s"},
		"narrow":             {layers, 2100 * time.Millisecond, 20, false, "| default... 2.1 s"},
		"too_narrow":         {layers, 2100 * time.Millisecond, 5, false, "|  2.1 s"},
		"many_machines":      {[]step{at("a", "ssh"), at("b", "ssh"), at("c", "tls")}, 900 * time.Millisecond, 38, false, "| 3 machines 0.9 s"},
		"a_list":             {[]step{at("", "looking at 200 machines")}, time.Second, 38, false, "| looking at 200 machines 1.0 s"},
		"escapes_of_a_name":  {[]step{at("a\x1b[2J", "ssh")}, time.Second, 38, false, "| a�[2J: ssh 1.0 s"},
		"a_change_is_a_text": {[]step{at("default", "reissuing the server certificate with localhost")}, time.Minute, 39, true, "⠋ default: reissuing the server… 60.0 s"},
		"a_change_at_80":     {[]step{at("default", "reissuing the server certificate with localhost")}, time.Minute, 78, true, "⠋ default: reissuing the server certificate with localhost 60.0 s"},
		"a_long_one_at_80":   {[]step{at("default", "adding NAT rule docker-vpn-helper (127.0.0.1:2376 -> VM port 2376)")}, time.Minute, 78, true, "⠋ default: adding NAT rule docker-vpn-helper (127.0.0.1:2376 -> VM… 60.0 s"},
		"seven_layers_at_40": {[]step{at("default", "machine"), at("default", "route"), at("default", "forward"), at("default", "ssh"), at("default", "tls")}, time.Second, 39, true, "⠋ default: machine, route… 1.0 s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spinner{steps: c.steps}
			got := s.line(begun.Add(c.after), c.width, c.unicode)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := utf8.RuneCountInString(got); c.width >= 8 && n > c.width {
				t.Errorf("%d columns", n)
			}
		})
	}
}

// Whatever is written wipes the line that moves, and nothing is left of it.
func TestSpinnerIsWiped(t *testing.T) {
	u, _, err := screen(80, map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"})
	done := u.Busy("default", "ssh")
	frame := func() string {
		u.mu.Lock()
		defer u.mu.Unlock()
		return err.String()
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(frame(), "default: ssh"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no frame in 10 s")
		}
	}
	u.Say("[default] a line")
	done()
	u.mu.Lock()
	defer u.mu.Unlock()
	last := err.String()[strings.LastIndex(err.String(), "default: ssh"):]
	if !strings.Contains(err.String(), "\r\x1b[K[default] a line\n") || strings.Contains(last, "default: ssh") && !strings.HasSuffix(err.String(), "\x1b[K") && !strings.HasSuffix(err.String(), "a line\n") {
		t.Errorf("%q", err.String())
	}
	if u.spin.stop != nil || u.spin.drawn > 0 {
		t.Error("it goes on")
	}
}

// Where a moving line would be noise there is none.
func TestSpinnerKeepsQuiet(t *testing.T) {
	for name, set := range map[string]func(*UI){
		"pipe": func(u *UI) { u.errTerm = false }, "json": func(u *UI) { u.JSON = true }, "verbose": func(u *UI) { u.Verbose = true },
	} {
		t.Run(name, func(t *testing.T) {
			u, _, _ := screen(80, map[string]string{"TERM": "xterm"})
			set(u)
			u.Busy("default", "ssh")
			if u.spin.stop != nil {
				t.Error("it moves")
			}
		})
	}
	u, _, _ := screen(80, map[string]string{"TERM": "dumb"})
	u.Busy("default", "ssh")
	if u.spin.stop != nil {
		t.Error("it moves on a dumb terminal")
	}
}
