package follow

import (
	"net/netip"
	"testing"
)

// Only what listens on 127.0.0.1 or ::1 is at localhost.
func TestShown(t *testing.T) {
	for bind, want := range map[string]string{"": "localhost", "127.0.0.1": "localhost", "::1": "localhost", "127.0.0.2": "127.0.0.2", "192.168.1.20": "192.168.1.20"} {
		f := &Follower{}
		if bind != "" {
			f.Bind = netip.MustParseAddr(bind)
		}
		if got := f.shown(); got != want {
			t.Errorf("--bind %q: %s, want %s", bind, got, want)
		}
	}
}
