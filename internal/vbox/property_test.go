package vbox

import (
	"net/netip"
	"testing"
)

func TestParseGuestAddr(t *testing.T) {
	for out, want := range map[string]string{
		"Value: 192.168.99.101\n":                          "192.168.99.101",
		"WARNING: module not loaded\nValue: 10.0.2.15\r\n": "10.0.2.15",
		"Значение: 192.168.99.101\n":                       "192.168.99.101",
		"No value set!\n":                                  "",
		"Value: \n":                                        "",
		"Value: 0.0.0.0\n":                                 "",
		"Value: fe80::1\n":                                 "",
	} {
		got := ParseGuestAddr([]byte(out))
		if want == "" && got.IsValid() || want != "" && got != netip.MustParseAddr(want) {
			t.Errorf("%q: %v", out, got)
		}
	}
}

// FuzzParseGuestAddr: printed again, an address reads the same.
func FuzzParseGuestAddr(f *testing.F) {
	f.Add("Value: 192.168.99.101\n")
	f.Fuzz(func(t *testing.T, out string) {
		a := ParseGuestAddr([]byte(out))
		if a.IsValid() && ParseGuestAddr([]byte("Value: "+a.String())) != a {
			t.Error(a)
		}
	})
}
