package ui

import (
	"strings"
	"testing"
)

// Names may be as long as the file system lets them, and paths may be in any script.
func TestTableOnEveryScreen(t *testing.T) {
	for name, c := range map[string]struct {
		columns int
		term    bool
		rows    [][]string
	}{
		"table-40":   {40, true, fleet("default")},
		"table-80":   {80, true, fleet("default")},
		"table-200":  {200, true, fleet("default")},
		"table-long": {80, true, fleet(strings.Repeat("n", 100))},
		"table-pipe": {40, false, fleet("default")},
	} {
		t.Run(name, func(t *testing.T) {
			u, out, _ := screen(c.columns, map[string]string{"LANG": "C.UTF-8", "TERM": "xterm"})
			if u.outTerm = c.term; !c.term {
				u.columns = nil
			}
			u.Table([]string{"NAME", "DRIVER", "STATE", "ENDPOINT", "PROBLEM"}, c.rows)
			golden(t, name, out.Bytes())
		})
	}
}

func fleet(name string) [][]string {
	return [][]string{
		{name, "virtualbox", "running", "tcp://localhost:2376", "-"},
		{"dev", "virtualbox", "running", "-", "docker would not trust tcp://localhost:2377: the certificate does not name localhost, only 192.168.99.101"},
		{"old", "virtualbox", "poweroff", "-", "the VM does not run"},
		{"未来", "-", "unreadable", "-", "reading /home/山田/機械/config.json:\n\x1b[31munexpected end"},
	}
}

func TestColumnsOf(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "default": 7, "é": 1, "e\u0301": 1, "日本": 4, "한": 2, "ＡＢ": 4, "🚀": 2, "✓ →": 3, "a\u200db": 2,
	} {
		if got := columnsOf(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"default", 7, "default"}, {"default", 6, "defau…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 2, ""},
		{"default: ssh, tls, daemon", 22, "default: ssh, tls…"}, {"default: ssh, tls, daemon", 19, "default: ssh, tls…"}, {"on default", 8, "on defa…"}} {
		if got := cut(c.text, c.n, "…"); got != c.want {
			t.Errorf("cut(%q, %d) is %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
