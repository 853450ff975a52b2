package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// nextStep is the one thing to do after a diagnosis: the command that fixes the root
// cause, in the syntax of the calling shell; else the one that makes docker use what
// works; else the page that explains the cause.
func (a *app) nextStep(s site, t *target.Target, r engine.Report) ui.Step {
	f, found := r.Obstacle()
	if !found {
		f, found = r.CauseFinding()
	}
	if r.Status == engine.Warn && len(f.Hint) == 0 {
		f = firstWithHint(r, f)
	}
	if f.Code == "socket.missing" && f.Hint.String() == hint.Explain(f.Code).String() && has(r, "env.client-missing") {
		return ui.Step{Label: "Next:", Command: hint.Explain("env.client-missing").String()} // nothing here can be started
	}
	switch {
	case f.Hint.String() == t.Hint(hint.Fix()).String():
		return ui.Step{Label: "Fix it:", Command: a.evaluated(s, "fix", t.Machine.Name)}
	case len(f.Hint) > 0:
		return ui.Step{Label: "Next:", Command: a.installed(f.Hint).String()}
	case found:
		return ui.Step{Label: "Next:", Command: hint.Explain(f.Code).String()}
	}
	return ui.Step{}
}

// has reports whether a report has a finding.
func has(r engine.Report, code string) bool {
	return slices.ContainsFunc(r.Layers, func(l engine.LayerReport) bool {
		return slices.ContainsFunc(l.Findings, func(f engine.Finding) bool { return f.Code == code })
	})
}

// installed is a hint for this laptop: root's command without sudo where there is none, and the
// page about a program of docker's that is missing.
func (a *app) installed(h hint.Hint) hint.Hint {
	for _, c := range h {
		if len(c.Argv) == 0 {
			continue
		}
		laptop := a.Laptop(host.Sudo{})
		_, err := laptop.LookPath(c.Argv[0])
		switch program := c.Argv[0]; {
		case program == "docker" && err != nil:
			return hint.Explain("env.client-missing")
		case program == "docker-machine" && !dockermachine.Found(laptop):
			return hint.Run("docker-vpn-helper", "explain", "docker.command-missing")
		case program == "sudo" && err != nil && len(h) == 1:
			return hint.Run("su", "-c", shell.Command(c.Argv[1:]...))
		}
	}
	return h
}

// next prints the one command to run next.
func (a *app) next(h hint.Hint) {
	if len(h) > 0 && !a.ui.JSON {
		a.ui.CommandLine("Next:", a.installed(h).For(a.storage, "").String())
	}
}

// firstMachine is what to run where the store has no machine: create one where that is
// possible, else look at this computer's own dockerd. In minikube's directory only minikube does.
func (a *app) firstMachine(name string) hint.Hint {
	laptop := a.Laptop(host.Sudo{})
	_, err := laptop.LookPath("minikube")
	switch minikube := filepath.Base(cmp.Or(a.storage, a.Getenv("MACHINE_STORAGE_PATH"))) == ".minikube"; {
	case minikube && err == nil && name != "minikube" && name != "default":
		return hint.Run("minikube", "start", "-p", name, "--driver", "virtualbox")
	case minikube && err == nil:
		return hint.Run("minikube", "start", "--driver", "virtualbox")
	case !minikube && dockermachine.Found(laptop):
		return hint.Own("fix", "--create", name)
	}
	return hint.Own("doctor", localHost)
}

// otherStore is how a store without machines is left for another, or where it was named.
func (a *app) otherStore() string {
	if a.storage != "" {
		return " (named by -s)"
	}
	return "; -s DIR names another store"
}

// withoutMachines is what a store without machines is: empty, as the caller puts it, or not there.
func (a *app) withoutMachines(s site, empty string) string {
	if s.store.Exists(a.ctx) {
		return empty
	}
	return "does not exist"
}

// existing is the path, or the nearest directory above it that exists.
func (a *app) existing(path string) string {
	laptop := a.Laptop(host.Sudo{})
	for path != filepath.Dir(path) {
		entries, err := laptop.ReadDir(a.ctx, filepath.Dir(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			break
		}
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(path) }) {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// firstWithHint is the first warning that something can be done about, those about the
// shell last; otherwise the given one.
func firstWithHint(r engine.Report, otherwise engine.Finding) engine.Finding {
	for _, weight := range []engine.Weight{engine.Outranks, engine.Plain, engine.Aside} {
		for _, l := range r.Layers {
			for _, f := range l.Findings {
				if f.Weight == weight && f.Status == engine.Warn && len(f.Hint) > 0 {
					return f
				}
			}
		}
	}
	return otherwise
}

// hasHostOnlyNetworks reports whether VirtualBox on this Mac is 7 or later. Where there
// is none, advice is for the adapters that docker-machine knows.
func (a *app) hasHostOnlyNetworks() bool {
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	v, err := virtualbox.New(a.Laptop(host.Sudo{}), func() bool { return false }).Version(ctx)
	return err == nil && v.AtLeast(7, 0, 0)
}

// newHostOnlyHint makes a host-only adapter, or the network that VirtualBox 7 on macOS has
// in its place, with the addresses that docker-machine gives out by default.
func (a *app) newHostOnlyHint() hint.Hint {
	args := vbox.CreateHostOnlyIf()
	if a.Laptop(host.Sudo{}).OS() == host.Darwin && a.hasHostOnlyNetworks() {
		args = vbox.AddHostOnlyNet("docker-machine", dockermachine.DefaultNetwork().Laptop)
	}
	return hint.VBoxManage(args...)
}
