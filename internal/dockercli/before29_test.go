package dockercli_test

import (
	"runtime/debug"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
)

// How docker commands were built: that of docker 28.2.2 and Debian's 20.10.24 are real ones.
func TestBefore29(t *testing.T) {
	const docker = "github.com/docker/cli/cmd/docker"
	version := func(v string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "-ldflags", Value: ` -X "github.com/docker/cli/cli/version.GitCommit=e6534b4" -X "github.com/docker/cli/cli/version.Version=` + v + `" -extldflags -static`}}
	}
	for _, tt := range []struct {
		name  string
		built debug.BuildInfo
		want  bool
	}{
		{"28.2.2", debug.BuildInfo{Path: docker, GoVersion: "go1.24.3", Settings: version("28.2.2")}, true},
		{"29.0.0", debug.BuildInfo{Path: docker, GoVersion: "go1.25.3", Settings: version("29.0.0")}, false},
		{"a 29 whose version outranks its Go", debug.BuildInfo{Path: docker, GoVersion: "go1.19", Settings: version("29.0.0-rc.1")}, false},
		{"Debian's 20.10.24, without its version", debug.BuildInfo{Path: docker, GoVersion: "go1.19.8", Settings: []debug.BuildSetting{{Key: "-trimpath", Value: "true"}}}, true},
		{"one without its version, by a newer Go", debug.BuildInfo{Path: docker, GoVersion: "go1.24.0"}, false},
		{"a Go with experiments", debug.BuildInfo{Path: docker, GoVersion: "go1.19.8 X:boringcrypto"}, true},
		{"an unreleased Go", debug.BuildInfo{Path: docker, GoVersion: "devel go1.20-abc"}, false},
		{"snap", debug.BuildInfo{Path: "github.com/snapcore/snapd/cmd/snap", GoVersion: "go1.18"}, false},
	} {
		if got := dockercli.Before29(&tt.built); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// What fits surely is what would be found by asking.
func TestBefore29FitsOldDaemons(t *testing.T) {
	for minor := 12; minor < 44; minor++ {
		for client := 30; client < 52; client++ {
			if fit, _ := dockercli.Judge(dockercli.API{Major: 1, Minor: client}, dockercli.API{Major: 1, Minor: minor}, dockercli.API{}); fit != dockercli.Fits {
				t.Errorf("client 1.%d, dockerd 1.%d: %s", client, minor, fit)
			}
		}
	}
}
