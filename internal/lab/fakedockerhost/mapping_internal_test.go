package fakedockerhost

import (
	"bytes"
	"strings"
	"testing"
)

func TestMappingOfPaths(t *testing.T) {
	for in, want := range map[string]string{
		"cat /etc/os-release":                "cat R/etc/os-release",
		"-H unix:///var/run/docker.sock":     "-H unix://R/var/run/docker.sock",
		"X='/var/lib/boot2docker'":           "X='R/var/lib/boot2docker'",
		"${X:-/run}":                         "${X:-R/run}",
		"/usr/local/etc/x /usr/bin/env":      "R/usr/local/etc/x /usr/bin/env",
		"/running /etcetera $ROOT/etc a/etc": "/running /etcetera $ROOT/etc a/etc",
		">/tmp/x;/tmp":                       ">R/tmp/x;R/tmp",
		"PATH=$PATH:/usr/sbin:/bin; /bin/sh": "PATH=$PATH:R/usr/sbin:R/bin; /bin/sh",
		"/proc/net/tcp /proc/[0-9]*":         "R/proc/net/tcp R/proc/[0-9]*",
		"case $to in /*) f=$to":              "case $to in /*) f=$to",
	} {
		if got := mapIn("R", in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzMapping: however the text is cut into writes, what goes in comes out again.
func FuzzMapping(f *testing.F) {
	f.Add("cat /etc/os-release /var\nunix:///run/docker.sock /tm", 3)
	f.Add("/", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		const root = "/tmp/dvh1/g/root"
		if n < 1 || n > len(text) || strings.Contains(text, root) {
			return
		}
		var in, out bytes.Buffer
		i, o := newInward(root, &in), &outward{root: root, to: &out}
		for rest := text; rest != ""; {
			k := min(n, len(rest))
			_, _ = i.Write([]byte(rest[:k]))
			rest = rest[k:]
		}
		_ = i.Flush()
		if whole := mapIn(root, text); in.String() != whole {
			t.Fatalf("in pieces of %d: %q, at once %q", n, in.String(), whole)
		}
		for rest := in.String(); rest != ""; {
			k := min(n, len(rest))
			_, _ = o.Write([]byte(rest[:k]))
			rest = rest[k:]
		}
		_ = o.Flush()
		if out.String() != text {
			t.Fatalf("%q came back as %q", text, out.String())
		}
	})
}
