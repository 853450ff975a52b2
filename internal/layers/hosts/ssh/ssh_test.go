package ssh

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

// What ssh of macOS 15 prints where the local network is denied, and whether that is so.
func TestLocalNetworkDenied(t *testing.T) {
	const (
		mac    = "-- computer --\nos darwin\nlink bridge100 bridge up 192.168.64.1/24\n"
		onLink = "-- $ route -n get 192.168.64.5 --\ndestination: 192.168.64.0\nmask: 255.255.255.0\ninterface: bridge100\nflags: <UP,DONE,CLONING>\n" +
			"-- $ scutil --\n  no keys.\n-- stdin --\nlist State:/Network/Service/[^/]+/(DNS|IPv4)\n-- $ scutil --nc list --\n"
	)
	for situation, c := range map[string]struct {
		computer string
		want     bool
	}{
		"denied":          {mac + "unreachable 192.168.64.5:*\n" + onLink, true},
		"off":             {mac + "down 192.168.64.5:*\n" + onLink, false},
		"before_macOS_15": {mac + "unreachable 192.168.64.5:*\n-- /System/Library/CoreServices/SystemVersion.plist --\n<key>ProductVersion</key><string>14.7</string>\n", false},
	} {
		computer := hosttest.New(t, []byte(c.computer))
		tgt := &target.Target{Kind: target.SSH, Laptop: computer, Network: laptop.New(computer)}
		if got := localNetworkDenied(t.Context(), tgt, userssh.Config{Host: "192.168.64.5", Port: "22"}); got != c.want {
			t.Errorf("%s: %v", situation, got)
		}
	}
	failed := &userssh.Error{Stderr: "ssh: connect to host 192.168.64.5 port 22: Undefined error: 0\n"}
	if failed.Cause() != userssh.Unreachable {
		t.Errorf("%q", failed.Cause())
	}
	s := State{Error: "no route to host", Cause: userssh.Unreachable, Forbidden: true}
	if diff := cmp.Diff([]engine.Finding{forbidden.Found("the terminal program", "no route to host")}, s.Findings()); diff != "" {
		t.Error(diff)
	}
}
