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

// reachTime bounds the questions to the docker host.
const reachTime = time.Minute

// filterKinds are the forms of HOST whose packet filters can be asked.
func filterKinds() []target.Kind { return []target.Kind{target.Machine, target.Local, target.SSH} }

// hasFilters is an error where no command can run on the docker host, or it is off.
func (a *app) hasFilters(t *target.Target) error {
	if t.Host == nil {
		return &exitError{code: exitUsage, message: "the packet filters of " + t.Name() + " are in a VM, which this computer cannot ask", hint: a.helpOf(a.cmd)}
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

// hasDocker is an error where this computer has no dockerd: then no container can be reached.
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

// dockerSocket is where dockerd listens on the docker host.
func (a *app) dockerSocket(t *target.Target) string {
	if path, ok := strings.CutPrefix(a.Getenv("DOCKER_HOST"), "unix://"); ok && t.Kind == target.Local && path != "" {
		return path
	}
	return netfacts.DefaultSocket
}

// programForSudo is how sudo finds this program: by its name where sudo looks for programs
// (secure_path, as Debian and macOS have it), else by its path.
func programForSudo(laptop host.Laptop) string {
	const name = "docker-vpn-helper"
	path, err := laptop.LookPath(name)
	if err != nil || slices.Contains([]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, filepath.Dir(path)) {
		return name
	}
	return path
}

// needsRoot is that sudo does not make this user root on the docker host.
func (a *app) needsRoot(t *target.Target, what string, err error) error {
	why := ", and sudo asks for a password there"
	if sudo := new(host.SudoError); errors.As(err, &sudo) && sudo.Missing {
		why = ", and there is no sudo: run it as root"
	}
	return &exitError{code: exitUserAction, message: what + " root on " + t.Name() + why, hint: a.asRoot(t)}
}

// asRoot is this command line with root's rights on the docker host.
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
