package routes

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestParseListeners(t *testing.T) {
	at := netip.MustParseAddrPort
	for situation, c := range map[string]struct {
		os, out string
		want    []Listener
	}{
		"lsof": {"darwin", "p501\ncVBoxHeadless\nf20\nn127.0.0.1:2376\np77\ncssh\nf7\nn[::1]:2376\nf8\nn*:2376\np9\ncGoogle\\x20Chrome\nf1\nn*:2376\n", []Listener{
			{501, "VBoxHeadless", at("127.0.0.1:2376")}, {77, "ssh", at("[::1]:2376")}, {77, "ssh", at("[::]:2376")},
			{9, "Google Chrome", at("[::]:2376")},
		}},
		"lsof_nobody": {"darwin", "", nil},
		"ss": {"linux", "LISTEN 0      128        127.0.0.1:2376      0.0.0.0:*    users:((\"VBoxHeadless\",pid=42,fd=20),(\"a (b\",pid=43,fd=3))\n" +
			"LISTEN 0 4096 *:2376 *:*\nLISTEN 0 4096 127.0.0.53%lo:2376 0.0.0.0:*\nLISTEN 0 4096 [fe80::1%eth0]:2376 [::]:*\n", []Listener{
			{42, "VBoxHeadless", at("127.0.0.1:2376")}, {43, "a (b", at("127.0.0.1:2376")}, {0, "", at("[::]:2376")},
			{0, "", at("127.0.0.53:2376")}, {0, "", at("[fe80::1]:2376")},
		}},
	} {
		t.Run(situation, func(t *testing.T) { compare(t, c.want, ParseListeners(c.os, []byte(c.out))) })
	}
}

func TestListenerArgv(t *testing.T) {
	compare(t, []string{"lsof", "-nP", "+c0", "-iTCP:2376", "-sTCP:LISTEN", "-Fpcn"}, ListenerArgv("darwin", 2376))
	compare(t, []string{"ss", "-Hltnp", "sport = :2376"}, ListenerArgv("linux", 2376))
	compare(t, []string(nil), ListenerArgv("windows", 2376))
}

// FuzzParseListeners: every listener has an address and no negative PID; one from lsof, printed
// again, parses to the same.
func FuzzParseListeners(f *testing.F) {
	f.Add("p501\ncVBoxHeadless\nf20\nn127.0.0.1:2376\n")
	f.Add("LISTEN 0 128 [::1]:2376 [::]:* users:((\"x\",pid=42,fd=20))\n")
	f.Add("LISTEN 0 128 [fe80::1%lo]:1 [::]:*\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, os := range []string{"darwin", "linux"} {
			for _, l := range ParseListeners(os, []byte(out)) {
				if !l.Addr.IsValid() || l.PID < 0 {
					t.Errorf("%s: %+v", os, l)
				}
				if os == "darwin" {
					compare(t, []Listener{l}, ParseListeners(os, fmt.Appendf(nil, "p%d\nc%s\nn%s\n", l.PID, l.Command, l.Addr)))
				}
			}
		}
	})
}
