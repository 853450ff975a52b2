package routes

import (
	"net/netip"
	"strings"
	"testing"
)

func TestRepairSteps(t *testing.T) {
	net, addr, src := prefix("192.168.99.0/24"), prefix("192.168.99.1/24"), netip.MustParseAddr("192.168.99.1")
	for situation, c := range map[string]struct {
		steps []Step
		want  string // a line each; "-" before those that may fail
	}{
		"readd_on_macos":                 {ReAdd("darwin", addr, "vboxnet0", src), "-route -n delete -net 192.168.99.0/24\nroute -n add -net 192.168.99.0/24 -interface vboxnet0"},
		"readd_on_linux":                 {ReAdd("linux", net, "vboxnet0", src), "ip route replace 192.168.99.0/24 dev vboxnet0 proto kernel scope link src 192.168.99.1"},
		"readd_on_linux_address_unknown": {ReAdd("linux", net, "vboxnet0", netip.Addr{}), "ip route replace 192.168.99.0/24 dev vboxnet0 proto kernel scope link"},
		"readd_elsewhere":                {ReAdd("windows", net, "vboxnet0", src), ""},
		"drop_on_macos":                  {[]Step{{Argv: Drop("darwin", net, "vboxnet0")}}, "route -n delete -net 192.168.99.0/24 -interface vboxnet0"},
		"drop_on_linux":                  {[]Step{{Argv: Drop("linux", net, "vboxnet0")}}, "ip route del 192.168.99.0/24 dev vboxnet0"},
	} {
		t.Run(situation, func(t *testing.T) {
			var lines []string
			for _, s := range c.steps {
				line := strings.Join(s.Argv, " ")
				if s.MayFail {
					line = "-" + line
				}
				lines = append(lines, line)
			}
			compare(t, c.want, strings.Join(lines, "\n"))
		})
	}
}

// The texts are route_strerror's (route.tproj/route.c of Apple's network_cmds).
func TestReplyError(t *testing.T) {
	for stderr, want := range map[string]string{
		"": "", "some warning\n": "",
		"route: writing to routing socket: File exists\n":  "route: File exists",
		"route: writing to routing socket: not in table\n": "route: not in table",
	} {
		got := ""
		if err := ReplyError([]byte(stderr)); err != nil {
			got = err.Error()
		}
		compare(t, want, got)
	}
}
