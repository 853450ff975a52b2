package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// misused is wrong usage with the command line that was probably meant.
func misused(meant hint.Hint, format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hint: meant}
}

// corrected is this very command line with one word replaced: an argument, a flag, or
// a flag's value.
func (a *app) corrected(word, by string) hint.Hint {
	line := slices.Clone(a.args)
	for i, arg := range line {
		flag, value, _ := strings.Cut(arg, "=")
		switch {
		case arg == word:
			line[i] = by
		case flag == word:
			line[i] = by + "=" + value
		case !strings.HasPrefix(arg, "-") || value != word || value == "":
			continue
		case by == "true":
			line[i] = flag
		case by == "false":
			line[i] = flag + "=" + by
		default:
			line = slices.Replace(line, i, i+1, flag, by)
		}
		return a.line(line)
	}
	return nil
}

// line is a command line of this program.
func (a *app) line(args []string) hint.Hint {
	return hint.Run(append([]string{"docker-vpn-helper"}, args...)...)
}

// without is this very command line without some of its arguments.
func (a *app) without(args ...string) hint.Hint {
	line := slices.Clone(a.args)
	for _, arg := range args {
		for i := len(line) - 1; i >= 0; i-- {
			if line[i] == arg {
				line = slices.Delete(line, i, i+1)
				break
			}
		}
	}
	return a.line(line)
}

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
	for _, c := range a.all() {
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

// instead is another command with the arguments of this one.
func (a *app) instead(name string, command ...string) hint.Hint {
	return hint.Own(append(command, a.argumentsAfter(name)...)...)
}

// argumentsAfter are the arguments after a word, flags left out.
func (a *app) argumentsAfter(name string) []string {
	after := a.args[slices.Index(a.args, name)+1:]
	return slices.DeleteFunc(slices.Clone(after), func(s string) bool { return strings.HasPrefix(s, "-") })
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
