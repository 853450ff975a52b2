package dockercli

import (
	"fmt"
	"go/version"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
)

// ClientAPI asks docker for the newest API that it speaks. It connects to no daemon:
// the daemon that is named does not exist, because one that answers would make
// docker print what was negotiated. docker's exit status is 1 therefore.
func ClientAPI() []string {
	return []string{"--host", "unix:///nonexistent/docker.sock", "version", "--format", "{{.Client.APIVersion}}"}
}

// API is a version of the Docker Engine API, "1.39".
type API struct{ Major, Minor int }

func (a API) String() string { return fmt.Sprintf("%d.%d", a.Major, a.Minor) }

// Less orders versions.
func (a API) Less(b API) bool {
	return a.Major < b.Major || a.Major == b.Major && a.Minor < b.Minor
}

// ParseAPI reads a version; ok is false for anything else.
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

// Fit is how a client and a daemon get on.
type Fit string

// The fits.
const (
	Fits         Fit = "fits"
	DaemonTooOld Fit = "daemon-too-old" // the client does not go down so far
	ClientTooOld Fit = "client-too-old" // the daemon does not
)

// Judge reports whether a client can talk to a daemon, and the oldest API that the
// stricter of them accepts. min is the oldest that the daemon reports to accept; zero if
// it was not asked.
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

// MayNotFit reports whether there are clients in use that cannot talk to such a daemon: those
// of Docker 29 go down to API 1.44 or 1.40, and a daemon of Docker 29 as well.
func MayNotFit(daemon API) bool { return daemon.Less(API{1, 44}) || !daemon.Less(API{1, 52}) }

// clientVersion is the linker's variable for the docker command's version.
var clientVersion = regexp.MustCompile(`/cli/version\.Version=v?([0-9]{2})\.`)

// Before29 reports whether a program is a docker command before 29.0, from how it was built:
// its version, which distributions may leave out, or a Go that 29.0 cannot be built with
// (docker/cli, vendor.mod: go 1.23.0). It is 18.09 or later: Go did not note this before.
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

// ClientFloor is the oldest API that a client of that newest API goes down to:
// 1.44 in docker 29.0 to 29.2, API 1.52 and 1.53 (moby/moby#51119), 1.40 since (#52067).
// Before 1.25 (docker 1.13)
// nothing was negotiated (moby/moby#27745), so that the daemon has to be as new as
// the client.
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

// daemonFloor is the oldest API that a daemon of that newest API accepts, unless
// DOCKER_MIN_API_VERSION sets another: 1.24 from Docker 25.0, API 1.44, on; 1.44 in 29.0
// to 29.2, API 1.52 and 1.53; 1.40 since (moby/moby#51186, #52067).
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
