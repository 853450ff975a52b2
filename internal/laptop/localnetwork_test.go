package laptop

import (
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

func TestAsksForLocalNetwork(t *testing.T) {
	plist := func(version string) string {
		return "-- " + systemVersion + " --\n<dict>\n\t<key>ProductName</key>\n\t<string>macOS</string>\n\t<key>ProductVersion</key>\n\t<string>" + version + "</string>\n</dict>\n"
	}
	for situation, c := range map[string]struct {
		computer string
		want     bool
	}{
		"sequoia":      {"-- computer --\nos darwin\n" + plist("15.2"), true},
		"tahoe":        {"-- computer --\nos darwin\n" + plist("26.1"), true},
		"sonoma":       {"-- computer --\nos darwin\n" + plist("14.7.2"), false},
		"el_capitan":   {"-- computer --\nos darwin\n" + plist("10.11.6"), false},
		"no_version":   {"-- computer --\nos darwin\n", true},
		"linux_has_no": {"-- computer --\nos linux\n", false},
	} {
		if got := New(hosttest.New(t, []byte(c.computer))).AsksForLocalNetwork(t.Context()); got != c.want {
			t.Errorf("%s: %v", situation, got)
		}
	}
}

func TestApp(t *testing.T) {
	for ancestors, want := range map[string]string{
		"ancestor -zsh\nancestor login\nancestor /System/Applications/Utilities/Terminal.app/Contents/MacOS/Terminal\n":                                                   "Terminal",
		"ancestor /bin/zsh\nancestor /Applications/Cursor.app/Contents/Frameworks/Helper.app/Contents/MacOS/Helper\nancestor /Applications/Cursor.app/Contents/MacOS/C\n": "Cursor",
		"ancestor zsh\nancestor tmux\n": "",
		"":                              "",
	} {
		if got := New(hosttest.New(t, []byte("-- computer --\nos darwin\n"+ancestors))).App(t.Context()); got != want {
			t.Errorf("%q: %q", ancestors, got)
		}
	}
}
