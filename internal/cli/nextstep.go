package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
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

// nextStep returns the one thing to do after a diagnosis: the command that fixes the root cause, in
// the calling shell's syntax, or the page that explains the cause. It is empty if docker works and
// no warning has a hint.
func (a *app) nextStep(t *target.Target, r engine.Report) ui.Step {
	f, found := r.Obstacle()
	if !found {
		f, found = r.CauseFinding()
	}
	working := r.Verdict == engine.OK && !r.Failed()
	if working {
		f = whileItWorks(r)
	}
	step := ui.Step{Label: "Next:", Command: a.inShell(a.installed(f.Hint))}
	if f.Hint.String() == t.Hint(hint.Fix()).String() {
		step = ui.Step{Label: "Fix it:", Command: a.evaluated("fix", t.Machine.Name)}
	}
	if f.Code == "socket.missing" && f.Hint.String() == hint.Explain(f.Code).String() && has(r, "env.client-missing") {
		return ui.Step{Label: "Next:", Command: hint.Explain("env.client-missing").String()} // there is nothing to start
	}
	switch {
	case len(f.Hint) > 0 && working && restarts(r, f):
		step.Label = "Optional, restarts dockerd:"
	case len(f.Hint) == 0 && found && !working:
		step.Command = hint.Explain(f.Code).String()
	}
	return step
}

// restarts reports whether following a finding's hint restarts dockerd.
func restarts(r engine.Report, f engine.Finding) bool {
	return f.Hint.Has("--reissue") || f.Hint.Has("regenerate-certs") || f.Hint.Has("fix") && r.RestartsDockerd()
}

// has reports whether a report has a finding.
func has(r engine.Report, code string) bool {
	return slices.ContainsFunc(r.Layers, func(l engine.LayerReport) bool {
		return slices.ContainsFunc(l.Findings, func(f engine.Finding) bool { return f.Code == code })
	})
}

// installed adapts a hint to this laptop: without sudo it uses su, and if docker is not installed
// it becomes the page about that.
func (a *app) installed(h hint.Hint) hint.Hint {
	for _, c := range h {
		if len(c.Argv) == 0 {
			continue
		}
		_, err := a.Laptop(host.Sudo{}).LookPath(c.Argv[0])
		switch program := c.Argv[0]; {
		case program == "docker" && err != nil:
			return hint.Explain("env.client-missing")
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

// firstMachine returns what to run if the store has no machine: create one if that is possible,
// otherwise diagnose this computer's own dockerd. A machine in minikube's directory is created by
// minikube.
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

// otherStore returns how to name another store, or the note that -s has named this one.
func (a *app) otherStore() string {
	if a.storage != "" {
		return " (named by -s)"
	}
	return "; -s DIR names another store"
}

// withoutMachines describes a store that has no machines: the text empty, or that it does not
// exist.
func (a *app) withoutMachines(s site, empty string) string {
	if s.store.Exists(a.ctx) {
		return empty
	}
	return "does not exist"
}

// existing returns the path if it exists, otherwise the nearest parent directory that exists and
// that ls can show.
func (a *app) existing(path string) string {
	laptop := a.Laptop(host.Sudo{})
	for path != filepath.Dir(path) {
		entries, err := laptop.ReadDir(a.ctx, filepath.Dir(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, fs.ErrPermission) {
			break
		}
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(path) }) {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// whileItWorks returns the finding to act on while docker works. First comes one that makes this
// shell use the machine; last come those whose hints restart dockerd. A hint that restarts dockerd
// for a minor finding is never chosen.
func whileItWorks(r engine.Report) (todo engine.Finding) {
	best := math.MaxInt
	for _, l := range r.Layers {
		for _, f := range l.Findings {
			rank := slices.Index([]engine.Weight{engine.Outranks, engine.Plain, engine.Aside}, f.Weight)
			switch {
			case f.Elsewhere:
				rank = -1
			case restarts(r, f) && f.Weight == engine.Aside:
				continue
			case restarts(r, f):
				rank += 10
			}
			if f.Status != engine.OK && len(f.Hint) > 0 && rank < best {
				best, todo = rank, f
			}
		}
	}
	return todo
}

// hasHostOnlyNetworks reports whether VirtualBox is version 7 or later, which on macOS has
// host-only networks instead of adapters. It returns false if VirtualBox is not installed.
func (a *app) hasHostOnlyNetworks() bool {
	ctx, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	v, err := virtualbox.New(a.Laptop(host.Sudo{}), func() bool { return false }).Version(ctx)
	return err == nil && v.AtLeast(7, 0, 0)
}

// newHostOnlyHint returns the command that makes a host-only adapter, or with VirtualBox 7 on macOS
// a host-only network, with docker-machine's default addresses.
func (a *app) newHostOnlyHint() hint.Hint {
	args := vbox.CreateHostOnlyIf()
	if a.Laptop(host.Sudo{}).OS() == host.Darwin && a.hasHostOnlyNetworks() {
		args = vbox.AddHostOnlyNet("docker-machine", dockermachine.DefaultNetwork().Laptop)
	}
	return hint.VBoxManage(args...)
}
