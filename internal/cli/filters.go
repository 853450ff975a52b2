package cli

import (
	"cmp"
	"context"
	"fmt"
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
