package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// onHost opens a docker host and calls do with it: the one that the argument or -H names, or the
// default one. kinds are the forms of HOST that the command takes.
func (a *app) onHost(s site, args []string, do func(*target.Target) error, kinds ...target.Kind) error {
	ref, err := a.hostRef(s, args, kinds...)
	if err != nil {
		return err
	}
	t, err := a.openHost(s, ref)
	if err != nil {
		return err
	}
	defer t.Close()
	if t.LoadErr != nil {
		return t.LoadErr
	}
	return do(t)
}

// hostRefs returns the docker hosts that every lists if all (--all) is set, otherwise the one that
// hostRef returns.
func (a *app) hostRefs(s site, args []string, all bool, every func(site) ([]target.Ref, error), kinds ...target.Kind) ([]target.Ref, error) {
	switch {
	case all && a.namesHost(args):
		return nil, a.noMachine("--all", args)
	case all:
		return every(s)
	}
	ref, err := a.hostRef(s, args, kinds...)
	return []target.Ref{ref}, err
}

// namesHost reports whether the command line names a docker host.
func (a *app) namesHost(args []string) bool { return len(args) > 0 || a.host != "" }

// hostRef returns the docker host that the argument or -H names, or the default one. It returns an
// error if the command does not take that form of HOST.
func (a *app) hostRef(s site, args []string, kinds ...target.Kind) (target.Ref, error) {
	ref, err := a.namedHost(s, args, kinds)
	if err == nil {
		a.on = ref
	}
	return ref, err
}

func (a *app) namedHost(s site, args []string, kinds []target.Kind) (target.Ref, error) {
	var refs []target.Ref
	if a.host != "" {
		args = append(slices.Clone(args), a.host)
	}
	for _, text := range args {
		ref, err := a.parseHost(s, text, kinds)
		if err != nil {
			return ref, err
		}
		if refs = append(refs, ref); ref != refs[0] {
			return ref, misused(a.nearestOf(args[0], subcommandsOf(a.cmd), a.without(args[0])), "two docker hosts are named: %s and %s", refs[0].Arg(), ref.Arg())
		}
	}
	if len(refs) == 0 {
		return a.defaultHost(s, kinds)
	}
	return refs[0], nil
}

// parseHost parses a HOST. If the command takes only machines, any bare name is a machine.
func (a *app) parseHost(s site, text string, kinds []target.Kind) (target.Ref, error) {
	var listing error
	ref, err := target.Parse(text, func(name string) bool {
		if slices.Equal(kinds, machineOnly()) {
			return true
		}
		var names []string
		names, listing = s.store.Names(a.ctx)
		return slices.Contains(names, name)
	})
	switch {
	case listing != nil:
		return ref, listing
	case err == nil && !slices.Contains(kinds, ref.Kind):
		next := a.helpOf(a.cmd)
		switch {
		case slices.Equal(kinds, machineOnly()):
			next = hint.Own("doctor", text)
		case ref.Kind == target.Local && slices.Equal(kinds, followKinds()):
			return ref, misused(hint.Own("ports", localHost), "the ports of local are on this computer already: ports %s takes %s", a.cmd.Name(), target.Usage(kinds...))
		}
		return ref, misused(next, "%s", a.takes(kinds, text))
	}
	return ref, err
}

func machineOnly() []target.Kind { return []target.Kind{target.Machine} }

// takes returns the text that a command takes these docker hosts and not the other one.
func (a *app) takes(kinds []target.Kind, other string) string {
	usage := target.Usage(kinds...)
	if slices.Equal(kinds, machineOnly()) {
		usage = "MACHINE"
	}
	return fmt.Sprintf("%s takes %s, not %s", strings.TrimPrefix(a.cmd.CommandPath(), a.cmd.Root().Name()+" "), usage, other)
}

// defaultHost returns the docker host for a command line that names none: a machine. If the store
// has no machine and the command also takes others, it is the docker host that docker itself uses
// now.
func (a *app) defaultHost(s site, kinds []target.Kind) (target.Ref, error) {
	names, err := s.store.Names(a.ctx)
	if err != nil {
		return target.Ref{}, err
	}
	named := a.Getenv("DOCKER_MACHINE_NAME") != "" || a.Getenv("B2D_MACHINE_NAME") != ""
	if len(names) > 0 || named || slices.Equal(kinds, machineOnly()) {
		name := store.Default(a.Getenv, names)
		return target.Ref{Kind: target.Machine, Name: name}, store.ValidName(name)
	}
	use := a.withoutMachine(s).Use(a.ctx)
	if !slices.Contains(kinds, use.Ref.Kind) {
		return use.Ref, misused(a.helpOf(a.cmd), "the store has no machine, and docker uses %s (%s): %s takes %s", use.What, use.Because, a.cmd.Name(), target.Usage(kinds...))
	}
	if !a.ui.JSON {
		store := "The store has no machine"
		if a.storage != "" {
			store = fmt.Sprintf("The store %s (-s) %s", s.store.Dir(), a.withoutMachines(s, "has no machine"))
		}
		a.ui.Say("%s: this is what docker uses now, %s (%s)", store, use.What, use.Because)
	}
	return use.Ref, nil
}

// machineName returns the machine that the argument, -H, the environment or the store names.
func (a *app) machineName(s site, args []string) (string, error) {
	ref, err := a.hostRef(s, args, target.Machine)
	return ref.Name, err
}

// withMachine opens the machine that the arguments name, and calls do with it.
func (a *app) withMachine(args []string, do func(*target.Target) error) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	return a.onMachine(s, args, do)
}

func (a *app) onMachine(s site, args []string, do func(*target.Target) error) error {
	return a.onHost(s, args, do, target.Machine)
}
