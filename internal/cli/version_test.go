package cli

import (
	"runtime/debug"
	"testing"
)

func TestRelease(t *testing.T) {
	module := func(version string) *debug.BuildInfo { return &debug.BuildInfo{Main: debug.Module{Version: version}} }
	for _, c := range []struct {
		situation, linked string
		info              *debug.BuildInfo
		want              string
	}{
		{"a release by make dist", "v0.1.0", module("v0.0.0-20260301101500-0123456789ab+dirty"), "v0.1.0"},
		{"go install of a release", "dev", module("v0.1.0"), "v0.1.0"},
		{"go build without a repository", "dev", module("(devel)"), "dev"},
		{"a build that knows nothing of itself", "dev", nil, "dev"},
	} {
		if got := release(c.linked, c.info); got != c.want {
			t.Errorf("%s: %q, want %q", c.situation, got, c.want)
		}
	}
}
