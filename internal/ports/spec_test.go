package ports_test

import (
	"errors"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

func TestSpec(t *testing.T) {
	for text, want := range map[string]string{
		"8080":               "127.0.0.1:8080:8080/tcp",
		"8080:80":            "127.0.0.1:8080:80/tcp",
		"0.0.0.0:8080:80":    "0.0.0.0:8080:80/tcp",
		"192.168.1.5:53/udp": "192.168.1.5:53:53/udp",
		"53:53/udp":          "127.0.0.1:53:53/udp",
		"65535":              "127.0.0.1:65535:65535/tcp",

		"":                "error: a port is a number from 1 to 65535",
		"0":               "error: a port is a number from 1 to 65535",
		"70000":           "error: a port is a number from 1 to 65535",
		"8080:abc":        "error: a port is a number from 1 to 65535",
		"8080:":           "error: a port is a number from 1 to 65535",
		"-1":              "error: a port is a number from 1 to 65535",
		"+80":             "error: a port is a number from 1 to 65535",
		"8080/sctp":       "error: the protocol is tcp or udp, not \"sctp\"",
		"8080/":           "error: the protocol is tcp or udp, not \"\"",
		"localhost:80:80": "error: \"localhost\" is not an IPv4 address",
		"999.1.1.1:80":    "error: \"999.1.1.1\" is not an IPv4 address",
		"::1:80":          "error: VirtualBox can only forward from IPv4 addresses",
		"[::1]:80":        "error: VirtualBox can only forward from IPv4 addresses",
		"127.1:80":        "error: \"127.1\" is not an IPv4 address",
	} {
		s, err := ports.ParseSpec(text)
		got := s.String()
		var bad *ports.SpecError
		if errors.As(err, &bad) {
			got = "error: " + bad.Problem
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestSpecsOfTheSamePort(t *testing.T) {
	if _, err := ports.ParseSpecs([]string{"8080", "8080/udp", "8081"}); err != nil {
		t.Error(err)
	}
	_, err := ports.ParseSpecs([]string{"8080", "127.0.0.2:8080:81"})
	if want := `"127.0.0.2:8080:81": 8080/tcp is already in "8080"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// What can be read, can be read again as it is printed; and what can be typed wrong has
// an advice that can be read.
func FuzzSpec(f *testing.F) {
	for _, seed := range []string{"8080", "8080:80/udp", "0.0.0.0:1:2/tcp", "[::1]:80", "x:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ports.ParseSpec(text)
		if err == nil {
			if again, err := ports.ParseSpec(s.String()); err != nil || again != s {
				t.Errorf("%q is %s, and that is %s, %v", text, s, again, err)
			}
		}
	})
}
