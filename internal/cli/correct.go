package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// helpOf is the help of a command, or of the program if it is nil.
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

// dockerMachineVerbs are docker-machine's commands that have no place here.
var dockerMachineVerbs = []string{"active", "config", "inspect", "ip", "kill", "mount", "provision", "restart", "rm", "scp", "ssh", "start", "status", "stop", "upgrade", "url"}

// unknownCommand is wrong usage. Its hint is what was probably meant, with the rest of
// the command line as it was.
func (a *app) unknownCommand(name string) error {
	verb := strings.ToLower(name)
	switch {
	case slices.Contains(dockerMachineVerbs, verb):
		return a.dockerMachineDoes(name, verb)
	case strings.TrimLeft(verb, "-") == "dry-run":
		return misused(a.instead(name, "fix", "--dry-run"), "unknown command %q: it is a flag of fix and undo", name)
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

// nearestOf is this command line with a word replaced by the nearest one, or a hint for
// where none is near.
func (a *app) nearestOf(word string, all []string, otherwise hint.Hint) hint.Hint {
	if near := nearest(word, all, 1); len(near) > 0 {
		if line := a.corrected(word, near[0]); line != nil {
			return line
		}
	}
	return otherwise
}

// dockerMachineDoes is wrong usage: docker-machine has the command.
func (a *app) dockerMachineDoes(name, verb string) error {
	computer := a.Laptop(host.Sudo{})
	switch found := dockermachine.Found(computer); {
	case !found && (verb == "status" || verb == "active"):
		return misused(a.corrected(name, "doctor"), "unknown command %q", name)
	case !found:
		return misused(dockermachine.InstallHint(computer.OS()), "docker-machine does that (docker-machine %s); %s", verb, dockermachine.NotInstalled(computer.OS()))
	}
	line := append([]string{verb}, a.args[slices.Index(a.args, name)+1:]...)
	return misused(hint.DockerMachine(line...), "unknown command %q: docker-machine does that", name)
}

// unknownSubcommand is wrong usage of a command that only has subcommands; none of them is
// named where args is empty.
func (a *app) unknownSubcommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	want, first := strings.Join(names, " or "), hint.Own(cmd.Name(), names[0])
	if len(args) == 0 {
		return misused(first, "%s takes %s", cmd.Name(), want)
	}
	return misused(a.nearestOf(args[0], names, first), "%s takes %s, not %q", cmd.Name(), want, args[0])
}

// machineHint is what to run where the store has no machine of a name: this command line
// with the nearest name, or the list.
func (a *app) machineHint(name string, known []string) hint.Hint {
	near := nearest(strings.TrimLeft(name, "./-_"), known, 1)
	if len(near) == 0 {
		return hint.Own("ls")
	}
	if line := a.corrected(name, near[0]); line != nil {
		return line
	}
	return a.again(near[0]) // the name came from the environment
}

// meantLocal is the hint for a machine's name that is, or nearly is, the HOST local; nil for
// other names. A command that takes local does not take it for a machine's name.
func (a *app) meantLocal(name string) hint.Hint {
	switch {
	case name == localHost:
		return hint.Own("doctor", localHost)
	case len(nearest(name, []string{localHost}, 1)) > 0:
		return a.corrected(name, localHost)
	}
	return nil
}

// localHost is the HOST that is this computer's dockerd.
const localHost = "local"
