package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// reachTime is the timeout of asking the docker host.
const reachTime = time.Minute

// filterKinds returns the forms of HOST whose packet filters can be read.
func filterKinds() []target.Kind { return []target.Kind{target.Machine, target.Local, target.SSH} }

// hasFilters returns an error if the docker host cannot run commands, or is off.
func (a *app) hasFilters(t *target.Target) error {
	if t.Host == nil {
		return &exitError{code: exitUsage, message: "the packet filters of " + t.Name() + " are in a VM, in which this computer cannot run commands", hint: a.helpOf(a.cmd)}
	}
	if t.Kind != target.Machine {
		return nil
	}
	if running, err := t.VM.Running(a.ctx); err == nil && !running {
		text := fmt.Sprintf("machine %q is not running (%s)", t.Machine.Name, cmp.Or(t.VM.StateText(a.ctx), "unknown"))
		return &exitError{code: exitUnknown, message: text, hint: t.StartHint(a.ctx)}
	}
	return nil
}

// hasDocker returns an error if the docker host is this computer and has no dockerd.
func (a *app) hasDocker(t *target.Target) error {
	if t.Kind != target.Local {
		return nil
	}
	conn, err := t.Docker(a.ctx)
	if err == nil {
		conn.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &exitError{code: exitUnknown, message: "no dockerd runs on this computer: " + t.Socket + " does not exist", hint: hint.Own("doctor", localHost)}
	}
	return nil
}

// facts asks a docker host for its packet filters, networks and containers.
func (a *app) facts(ctx context.Context, t *target.Target) (*netfacts.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	return netfacts.Collect(ctx, t.Host, a.dockerSocket(t))
}

// dockerSocket returns the path of dockerd's socket on the docker host.
func (a *app) dockerSocket(t *target.Target) string {
	if path, ok := strings.CutPrefix(a.Getenv("DOCKER_HOST"), "unix://"); ok && t.Kind == target.Local && path != "" {
		return path
	}
	return netfacts.DefaultSocket
}

// programForSudo returns how to call this program with sudo: by its name if it is in one of the
// directories where sudo looks for programs (secure_path of Debian and macOS), otherwise by its path.
func programForSudo(laptop host.Laptop) string {
	const name = "docker-vpn-helper"
	path, err := laptop.LookPath(name)
	if err != nil || slices.Contains([]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, filepath.Dir(path)) {
		return name
	}
	return path
}

// needsRoot is the error that the command needs root on the docker host, and sudo does not grant it.
// what is the beginning of the message: "packet filters need".
func (a *app) needsRoot(t *target.Target, what string, err error) error {
	why := ", and sudo asks for a password there"
	if sudo := new(host.SudoError); errors.As(err, &sudo) && sudo.Missing {
		why = ", and there is no sudo: run it as root"
	}
	return &exitError{code: exitUserAction, message: what + " root on " + t.Name() + why, hint: a.asRoot(t)}
}

// asRoot returns this command line as root on the docker host, or how to check sudo there.
func (a *app) asRoot(t *target.Target) hint.Hint {
	switch t.Kind {
	case target.Local:
		return hint.Run(append([]string{"sudo", programForSudo(t.Laptop)}, a.args...)...)
	case target.SSH:
		at := strings.TrimPrefix(t.Ref.Arg(), "ssh://")
		if i := strings.LastIndex(at, "@"); i >= 0 {
			at = at[i+1:]
		}
		return a.corrected(t.Ref.Arg(), "ssh://root@"+at)
	}
	return t.Hint(hint.DockerMachine("ssh", hint.Machine, "sudo", "true"))
}
