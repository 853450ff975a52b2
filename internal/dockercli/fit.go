package dockercli

import (
	"fmt"
	"go/version"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
)

// ClientAPIArgs returns the arguments with which docker prints the newest API version that it supports.
// They name a daemon that does not exist, because docker would negotiate a version with one that
// answers. Therefore docker's exit status is 1.
func ClientAPIArgs() []string {
	return []string{"--host", "unix:///nonexistent/docker.sock", "version", "--format", "{{.Client.APIVersion}}"}
}

// API is a version of the Docker Engine API, "1.39".
type API struct{ Major, Minor int }

func (a API) String() string { return fmt.Sprintf("%d.%d", a.Major, a.Minor) }

// Less reports whether a is older than b.
func (a API) Less(b API) bool {
	return a.Major < b.Major || a.Major == b.Major && a.Minor < b.Minor
}

// ParseAPI parses a version; ok is false if s is not one.
func ParseAPI(s string) (a API, ok bool) {
	major, minor, found := strings.Cut(strings.TrimSpace(s), ".")
	var err1, err2 error
	a.Major, err1 = strconv.Atoi(major)
	a.Minor, err2 = strconv.Atoi(minor)
	ok = found && err1 == nil && err2 == nil && a.Major > 0 && a.Minor >= 0 && a.String() == strings.TrimSpace(s)
	if !ok {
		return API{}, false
	}
	return a, true
}

// Fit is whether a client and a daemon have an API version in common.
type Fit string

// The values of Fit.
const (
	Fits         Fit = "fits"
	DaemonTooOld Fit = "daemon-too-old" // the client does not support so old a daemon
	ClientTooOld Fit = "client-too-old" // the daemon does not support so old a client
)

// Judge returns whether a client can talk to a daemon. If it cannot, it also returns the oldest
// version that the stricter of them accepts. min is the oldest version that the daemon says it
// accepts; zero if it was not asked.
func Judge(client, daemon, min API) (Fit, API) {
	if floor := ClientFloor(client); daemon.Less(floor) {
		return DaemonTooOld, floor
	}
	if min == (API{}) {
		min = daemonFloor(daemon)
	}
	if client.Less(min) {
		return ClientTooOld, min
	}
	return Fits, API{}
}

// MayNotFit reports whether some clients in use cannot talk to such a daemon: clients of Docker 29
// support API 1.44 or 1.40 and later, and so do daemons of Docker 29.
func MayNotFit(daemon API) bool { return daemon.Less(API{1, 44}) || !daemon.Less(API{1, 52}) }

// clientVersion matches the linker flag that sets the docker command's version.
var clientVersion = regexp.MustCompile(`/cli/version\.Version=v?([0-9]{2})\.`)

// Before29 reports whether a program is a docker command before 29.0. That shows in how it was
// built: in its version, which distributions may leave out, or in a Go version that 29.0 cannot be
// built with (docker/cli, vendor.mod: go 1.23.0). Such a program is 18.09 or later, since older
// ones contain no build information.
func Before29(built *debug.BuildInfo) bool {
	if built.Path != "github.com/docker/cli/cmd/docker" {
		return false
	}
	for _, s := range built.Settings {
		if m := clientVersion.FindStringSubmatch(s.Value); s.Key == "-ldflags" && m != nil {
			return m[1] < "29"
		}
	}
	compiler, _, _ := strings.Cut(built.GoVersion, " ")
	return version.IsValid(compiler) && version.Compare(compiler, "go1.23") < 0
}

// ClientFloor returns the oldest API version that a client supports, given its newest: 1.44 in
// docker 29.0 to 29.2, with API 1.52 and 1.53 (moby/moby#51119), and 1.40 since (#52067). Before
// API 1.25 (docker 1.13) versions were not negotiated (moby/moby#27745), so the daemon must be as
// new as the client.
func ClientFloor(client API) API {
	switch {
	case client.Less(API{1, 25}):
		return client
	case client.Less(API{1, 52}):
		return API{1, 12}
	case client.Less(API{1, 54}):
		return API{1, 44}
	}
	return API{1, 40}
}

// daemonFloor returns the oldest API version that a daemon accepts, given its newest, unless
// DOCKER_MIN_API_VERSION changes it: 1.24 since Docker 25.0 (API 1.44), 1.44 in 29.0 to 29.2 (API
// 1.52 and 1.53), 1.40 since (moby/moby#51186, #52067).
func daemonFloor(daemon API) API {
	switch {
	case daemon.Less(API{1, 44}):
		return API{1, 12}
	case daemon.Less(API{1, 52}):
		return API{1, 24}
	case daemon.Less(API{1, 54}):
		return API{1, 44}
	}
	return API{1, 40}
}
