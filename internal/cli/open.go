package cli

import (
	"errors"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// site is the laptop and the store on which a command works.
type site struct {
	laptop  host.Laptop
	store   *store.Store
	docker  *dockercli.CLI // shared by all machines, so that each question is asked once
	network *laptop.Network
	owners  *memo.Of[map[string]string] // see endpoint.Config
	// virtualBox is shared by many machines; nil if each has its own.
	virtualBox *virtualbox.Manager
	dir        string
	state      string
}

// siteOf returns the site of an open machine.
func siteOf(t *target.Target) site {
	return site{laptop: t.Laptop, store: t.Store, docker: t.DockerCLI, network: t.Network, owners: t.Owners, dir: t.Machine.StoreDir, state: t.StateDir}
}

// site opens the store. It creates nothing.
func (a *app) site() (site, error) {
	home := a.Getenv("HOME")
	dir := a.storage
	if dir == "" {
		dir = store.DefaultDir(a.Getenv, home)
	}
	state := target.StateDir(a.Getenv, home)
	if home == "" && (!filepath.IsAbs(state) || a.storage == "" && a.Getenv("MACHINE_STORAGE_PATH") == "") {
		return site{}, &exitError{code: exitUsage, message: "no home directory is known: HOME is not set", hint: hint.Shell("export HOME=~")}
	}
	computer := a.Laptop(host.Sudo{
		Terminal: a.ui.CanPrompt(),
		Announce: func(argv []string) {
			a.ui.StopSpinner() // sudo may ask for a password now
			a.ui.CommandLine("running", shell.Command(argv...))
		},
	})
	st, err := store.Open(computer, dir)
	if err != nil {
		return site{}, err
	}
	return site{laptop: computer, store: st, docker: dockercli.New(computer), network: laptop.New(computer), owners: &memo.Of[map[string]string]{}, dir: st.Dir(), state: state}, nil
}

// machineNames returns the names of the machines in the store. If there are none, it prints the
// command to run next.
func (a *app) machineNames(s site) ([]string, error) {
	names, err := s.store.Names(a.ctx)
	if err == nil && len(names) == 0 && !a.ui.JSON {
		a.ui.Say("The store %s %s%s.", s.store.Dir(), a.withoutMachines(s, "is empty"), a.otherStore())
		a.next(a.firstMachine("default"))
	}
	return names, err
}

// allRefs returns all machines in the store.
func (a *app) allRefs(s site) ([]target.Ref, error) {
	names, err := a.machineNames(s)
	return machineRefs(names), err
}

// target returns the Target of a machine.
func (a *app) target(s site, m store.Machine) *target.Target {
	t := a.withoutMachine(s)
	t.SetMachine(m)
	return t
}

// withoutMachine returns a Target of the laptop and the store alone, for work that concerns no
// particular machine.
func (a *app) withoutMachine(s site) *target.Target {
	t := &target.Target{
		Laptop: s.laptop, Store: s.store, DockerCLI: s.docker, Network: s.network, VirtualBox: s.virtualBox, Owners: s.owners,
		Getenv: a.Getenv, Now: a.Now, StateDir: s.state,
		Notify: a.ui.Say,
	}
	if t.VirtualBox == nil {
		t.VirtualBox = virtualbox.New(s.laptop, func() bool { return t.Mode.IsRepair() })
	}
	t.Storage = a.storage
	return t
}

// open opens a machine. If its config.json cannot be read, the error is in the Target's LoadErr.
func (a *app) open(s site, name string) (*target.Target, error) {
	return a.openHost(s, target.Ref{Kind: target.Machine, Name: name})
}

// machineJob describes a command that changes a machine. opened, if not nil, sets the user's
// options on the Target before an earlier run is rolled back.
func (a *app) machineJob(s site, name, command string, opened func(*target.Target)) engine.Job {
	modules := a.modulesJob(s)
	w := a.hostJob(s, target.Ref{Kind: target.Machine, Name: name}, target.MachineState(s.state, s.dir, name), command, opened)
	w.UpForRollback, w.Before = layers.Only("machine"), &modules
	return w
}

// hostJob describes a command that changes a docker host. dir is the host's Target.State.
func (a *app) hostJob(s site, ref target.Ref, dir, command string, opened func(*target.Target)) engine.Job {
	return engine.Job{
		Dir: dir, Laptop: s.laptop, Decode: changes.Decode,
		Open: func() (*target.Target, error) {
			t, err := a.openHost(s, ref)
			if err == nil {
				err = t.LoadErr
			}
			if err == nil && opened != nil {
				opened(t)
			}
			return t, err
		},
		Command: command, Machine: ref.Arg(), Store: s.dir, Doing: "works on this machine",
		Sink: a.sink(), Now: a.Now,
	}
}

func (a *app) sink() ui.Sink { return ui.Sink{UI: a.ui, Yes: a.yes} }

func isConfigError(err error) bool {
	var c *store.ConfigError
	return errors.As(err, &c)
}

// modulesJob describes work on VirtualBox's kernel modules. If their restart was killed, it may
// have left VMs of any machine saved, so the next run of any command rolls it back.
func (a *app) modulesJob(s site) engine.Job {
	return engine.Job{
		Dir: filepath.Join(target.StoreState(s.state, s.dir), "modules"), Laptop: s.laptop, Decode: changes.Decode,
		Open:    func() (*target.Target, error) { return a.withoutMachine(s), nil },
		Command: "modules", Store: s.dir, Doing: "restarts the modules", Title: "modules restart",
		Sink: a.sink(), Now: a.Now,
	}
}

// openHost opens a docker host. It does not connect yet.
func (a *app) openHost(s site, ref target.Ref) (*target.Target, error) {
	t := a.withoutMachine(s)
	err := t.Open(a.ctx, ref)
	return t, err
}

// machineRefs returns the machines of these names.
func machineRefs(names []string) []target.Ref {
	refs := make([]target.Ref, len(names))
	for i, name := range names {
		refs[i] = target.Ref{Kind: target.Machine, Name: name}
	}
	return refs
}
