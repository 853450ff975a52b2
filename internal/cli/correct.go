package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// helpOf returns the command that prints a command's help, or the program's if cmd is nil.
func (a *app) helpOf(cmd *cobra.Command) hint.Hint {
	if cmd == nil {
		return a.line([]string{"--help"})
	}
	return hint.Run(append(strings.Fields(cmd.CommandPath()), "--help")...)
}

// synonyms are words that other programs use for our commands.
var synonyms = map[string][]string{
	"fix":        {"repair", "heal", "mend", "up"},
	"doctor":     {"check", "diagnose", "diagnosis", "diag", "test", "verify", "health"},
	"undo":       {"revert", "rollback", "restore", "reset"},
	"ls":         {"machines", "ps"},
	"env":        {"environment", "export"},
	"shell-init": {"init", "hook"},
	"cert":       {"certificate", "certificates", "tls"},
	"explain":    {"why", "what"},
}

// dockerMachineVerbs are docker-machine's commands that this program does not have.
var dockerMachineVerbs = []string{"active", "config", "inspect", "ip", "kill", "mount", "provision", "restart", "rm", "scp", "ssh", "start", "status", "stop", "upgrade", "url"}

// unknownCommand returns the error for a command that does not exist. Its hint is the command that
// was probably meant, with the other arguments unchanged.
func (a *app) unknownCommand(name string) error {
	verb := strings.ToLower(name)
	switch {
	case slices.Contains(dockerMachineVerbs, verb):
		return a.dockerMachineDoes(name, verb)
	case strings.TrimLeft(verb, "-") == "dry-run":
		return misused(a.instead(name, "fix", "--dry-run"), "unknown command %q: it is a flag of fix and undo", name)
	case slices.Contains(a.completeMachines(), name) || target.HasExplicitForm(name):
		return misused(a.commandFirst(name, a.args[slices.Index(a.args, name)+1:]), "unknown command %q: a command comes first", name)
	case verb == "use":
		return misused(a.instead(name, "context", "--use"), "unknown command %q: docker uses a machine through its context", name)
	case verb == "create":
		return misused(a.instead(name, "fix", "--create"), "unknown command %q: a machine is created by fix --create", name)
	case verb == "regenerate-certs":
		return misused(a.instead(name, "cert", "renew"), "unknown command %q: a certificate is renewed by cert renew", name)
	}
	var names []string
	for _, c := range a.table {
		names = append(names, c.names...)
		if slices.Contains(synonyms[c.names[0]], verb) {
			return misused(a.corrected(name, c.names[0]), "unknown command %q", name)
		}
	}
	return misused(a.nearestOf(name, append(names, "help"), a.helpOf(nil)), "unknown command %q", name)
}

// commandFirst returns a command line in which the docker host comes after the command that was
// typed behind it, or after doctor if that is no command or takes no such host.
func (a *app) commandFirst(name string, after []string) hint.Hint {
	if len(after) == 0 || strings.HasPrefix(after[0], "-") {
		return hint.Own(slices.Concat([]string{"doctor", name}, after)...)
	}
	i := slices.IndexFunc(a.table, func(c command) bool { return slices.Contains(c.names, after[0]) })
	if i < 0 {
		return hint.Own("doctor", name)
	}
	cmd, _, _ := a.table[i].build().Find(after[1:])
	switch {
	case !takesHost(cmd), !strings.Contains(cmd.Use, "HOST") && target.HasExplicitForm(name):
		return hint.Own("doctor", name)
	case strings.Contains(cmd.Use, "[-H"):
		after = append(slices.Clone(after), "-H")
	}
	return hint.Own(append(slices.Clone(after), name)...)
}

// dockerMachineDoes returns the error for a command of docker-machine's. If docker-machine is not
// installed, the hint is the nearest command of this program.
func (a *app) dockerMachineDoes(name, verb string) error {
	if dockermachine.Found(a.Laptop(host.Sudo{})) {
		line := append([]string{verb}, a.args[slices.Index(a.args, name)+1:]...)
		return misused(hint.DockerMachine(line...), "unknown command %q: docker-machine does that", name)
	}
	next := hint.Run("docker-vpn-helper", "explain", "docker.command-missing")
	switch verb {
	case "active":
		next = hint.Own("ls")
	case "status":
		next = a.corrected(name, "doctor")
	case "config", "ip", "url":
		next = a.instead(name, "env")
	case "restart", "start":
		next = a.instead(name, "fix")
		next[0].Eval = true
	}
	return misused(next, "unknown command %q: docker-machine does that, and is not installed", name)
}

// unknownSubcommand returns the error for a command that only has subcommands. args is empty if the
// user typed no subcommand.
func (a *app) unknownSubcommand(cmd *cobra.Command, args []string) error {
	names := subcommandsOf(cmd)
	want := strings.Join(names, " or ")
	if len(args) == 0 {
		first := hint.Own(cmd.Name(), names[0])
		if cmd.Commands()[0].ValidateArgs(nil) != nil {
			first = a.helpOf(cmd)
		}
		return misused(first, "%s takes %s", cmd.Name(), want)
	}
	return misused(a.nearestOf(args[0], names, a.helpOf(cmd)), "%s takes %s, not %q", cmd.Name(), want, args[0])
}

// subcommandsOf returns the names of a command's subcommands.
func subcommandsOf(cmd *cobra.Command) (names []string) {
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// machineHint returns the hint for a machine that the store does not have: this command line with
// the nearest name or subcommand. It returns nil if nothing is near.
func (a *app) machineHint(name string, known []string) hint.Hint {
	near := nearest(strings.TrimLeft(name, "./-_"), known, 1)
	switch {
	case len(near) == 0 && a.cmd != nil:
		return a.nearestOf(name, subcommandsOf(a.cmd), nil)
	case len(near) == 0:
		return nil
	}
	if line := a.corrected(name, near[0]); line != nil {
		return line
	}
	return a.again(near[0]) // the name came from the environment
}
