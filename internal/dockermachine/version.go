package dockermachine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// versionTime is how long docker-machine may take to print its version. Only advice depends on it.
const versionTime = 2 * time.Second

// Version is a version of docker-machine.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// RenewsClientCerts reports whether regenerate-certs has the flag --client-certs. Without it
// docker-machine renews neither its CA nor the client certificate (docker/machine v0.14.0,
// commands/commands.go; v0.13.0 does not have it).
func (v Version) RenewsClientCerts() bool { return v.Major > 0 || v.Minor >= 14 }

// versionLine matches the forks' output, too: "docker-machine version 0.16.2-gitlab.27, build …".
var versionLine = regexp.MustCompile(`version v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})`)

// ParseVersion parses the output of docker-machine --version.
func ParseVersion(text string) (Version, bool) {
	m := versionLine.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	var v Version
	for i, part := range []*int{&v.Major, &v.Minor, &v.Patch} {
		*part, _ = strconv.Atoi(m[i+1]) // digits
	}
	return v, true
}

// Installed returns the version of the laptop's docker-machine.
func Installed(ctx context.Context, h host.Laptop) (Version, error) {
	path, err := path(h)
	if err != nil {
		return Version{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	out, err := h.Run(ctx, host.Cmd{Argv: []string{path, "--version"}})
	if v, ok := ParseVersion(string(out.Stdout)); ok {
		return v, nil
	}
	if err == nil {
		err = fmt.Errorf("docker-machine --version prints %q", out.Stdout)
	}
	return Version{}, err
}
