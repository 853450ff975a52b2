// Package hint has what the user can type next, as data, and is the only place that writes such
// command lines.
package hint

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// Machine, as an argument, stands for the name of the machine that the hint is about. It contains a
// NUL, as no real argument can.
const Machine = "\x00machine"

const (
	program              = "docker-vpn-helper"
	dockerMachineProgram = "docker-machine"
)

// Hint is a list of command lines. The empty Hint means that there is nothing to type.
type Hint []Command

// Command is one command line.
type Command struct {
	// After is how it is joined to the previous command: "&&", ";" or "|". If it is "", the command
	// is on a line of its own.
	After string
	Argv  []string
	// Store means that the command is about the machine store: it gets the user's -s.
	Store bool
	// Eval means that the shell must evaluate the command's output.
	Eval bool
	// Shell is shell text that is added after Argv without quoting.
	Shell string
}

// Own returns a command of this program.
func Own(args ...string) Hint {
	return Hint{{Argv: append([]string{program}, args...), Store: true}}
}

// Fix returns the command that repairs the machine.
func Fix(flags ...string) Hint {
	return Own(slices.Concat([]string{"fix"}, flags, []string{Machine})...)
}

// Env returns the command that sets the machine's environment variables in the shell.
func Env(flags ...string) Hint {
	h := Own(slices.Concat([]string{"env"}, flags, []string{Machine})...)
	h[0].Eval = true
	return h
}

// Explain returns the command that shows the page of a finding's code.
func Explain(code string) Hint { return Run(program, "explain", code) }

// DockerMachine returns a command of docker-machine, which has the same option -s.
func DockerMachine(args ...string) Hint {
	return Hint{{Argv: append([]string{dockerMachineProgram}, args...), Store: true}}
}

// CreateAgain returns commands that remove a machine whose creation did not finish, and create it
// again. If docker-machine is not installed, it explains the finding instead.
func CreateAgain(installed bool) Hint {
	if !installed {
		return Explain("machine.create-unfinished")
	}
	return DockerMachine("rm", Machine).Then("&&", Fix("--create"))
}

// VBoxManage returns a command of VBoxManage.
func VBoxManage(args ...string) Hint { return Run(append([]string{"VBoxManage"}, args...)...) }

// Run returns a command of any other program.
func Run(argv ...string) Hint { return Hint{{Argv: argv}} }

// Shell returns shell text without quoting.
func Shell(text string) Hint { return Hint{{Shell: text}} }

// Then returns h followed by next. after joins them as in Command.
func (h Hint) Then(after string, next Hint) Hint {
	if len(h) == 0 || len(next) == 0 {
		return slices.Concat(h, next)
	}
	next = slices.Clone(next)
	next[0].After = after
	return slices.Concat(h, next)
}

// Has reports whether one of the commands has the argument.
func (h Hint) Has(arg string) bool {
	return slices.ContainsFunc(h, func(c Command) bool { return slices.Contains(c.Argv, arg) })
}

// For returns the hint for one machine of a store. storage is the value of the user's -s, or "".
func (h Hint) For(storage, machine string) Hint {
	bound := slices.Clone(h)
	for i, c := range bound {
		argv := slices.Clone(c.Argv)
		for j, arg := range argv {
			if arg == Machine {
				argv[j] = machine
			}
		}
		if c.Store && storage != "" {
			argv = slices.Insert(argv, 1, "-s", storage)
		}
		bound[i].Argv, bound[i].Store = argv, false
	}
	return bound
}

// Using returns the hint with docker-machine's name on this laptop. dockerMachine returns that
// name; it is called only if the hint contains docker-machine.
func (h Hint) Using(dockerMachine func() string) Hint {
	named := slices.Clone(h)
	for i, c := range named {
		if len(c.Argv) > 0 && c.Argv[0] == dockerMachineProgram {
			named[i].Argv = slices.Concat([]string{dockerMachine()}, c.Argv[1:])
		}
	}
	return named
}

// String returns the command lines, so that they work when pasted into a POSIX shell.
func (h Hint) String() string {
	var b strings.Builder
	for i, c := range h {
		switch {
		case i == 0:
		case c.After == "":
			b.WriteString("\n")
		case c.After == ";":
			b.WriteString("; ")
		default:
			b.WriteString(" " + c.After + " ")
		}
		line := strings.TrimSpace(shell.Command(c.Argv...) + " " + c.Shell)
		if c.Eval {
			line = `eval "$(` + line + `)"`
		}
		b.WriteString(line)
	}
	return b.String()
}

// MarshalText returns String, so that a Hint is a string in JSON.
func (h Hint) MarshalText() ([]byte, error) { return []byte(h.String()), nil }
