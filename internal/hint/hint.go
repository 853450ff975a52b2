// Package hint is what the user can type next: command lines as data, and the one place
// that writes them out.
package hint

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// Machine is, as an argument, the name of the machine that the hint is about. No real
// argument can hold a NUL.
const Machine = "\x00machine"

const (
	program              = "docker-vpn-helper"
	dockerMachineProgram = "docker-machine"
)

// Hint is command lines, in their order. The zero Hint is none.
type Hint []Command

// Command is one command line.
type Command struct {
	// After joins it with the command before it: "&&", ";" or "|". If empty, it is a line
	// of its own.
	After string
	Argv  []string
	// Store reports whether it is about the machine store: it gets the user's -s.
	Store bool
	// Eval reports whether the shell evaluates what it prints.
	Eval bool
	// Shell is shell text that follows Argv as it is.
	Shell string
}

// Own is a command of this program.
func Own(args ...string) Hint {
	return Hint{{Argv: append([]string{program}, args...), Store: true}}
}

// Fix repairs the machine.
func Fix(flags ...string) Hint {
	return Own(slices.Concat([]string{"fix"}, flags, []string{Machine})...)
}

// Env has the shell evaluate the machine's environment.
func Env(flags ...string) Hint {
	h := Own(slices.Concat([]string{"env"}, flags, []string{Machine})...)
	h[0].Eval = true
	return h
}

// Explain shows the page of a finding's code.
func Explain(code string) Hint { return Run(program, "explain", code) }

// DockerMachine is a command of docker-machine, which takes the same -s.
func DockerMachine(args ...string) Hint {
	return Hint{{Argv: append([]string{dockerMachineProgram}, args...), Store: true}}
}

// CreateAgain removes a machine which docker-machine has not finished, and creates it
// anew, where docker-machine is installed.
func CreateAgain(installed bool) Hint {
	if !installed {
		return Explain("machine.create-unfinished")
	}
	return DockerMachine("rm", Machine).Then("&&", Fix("--create"))
}

// VBoxManage is a command of VirtualBox.
func VBoxManage(args ...string) Hint { return Run(append([]string{"VBoxManage"}, args...)...) }

// Run is any other command.
func Run(argv ...string) Hint { return Hint{{Argv: argv}} }

// Shell is shell text as it is.
func Shell(text string) Hint { return Hint{{Shell: text}} }

// Then is h with another one behind it. after joins them as in Command.
func (h Hint) Then(after string, next Hint) Hint {
	if len(h) == 0 || len(next) == 0 {
		return slices.Concat(h, next)
	}
	next = slices.Clone(next)
	next[0].After = after
	return slices.Concat(h, next)
}

// Has reports whether one of the command lines has the argument.
func (h Hint) Has(arg string) bool {
	return slices.ContainsFunc(h, func(c Command) bool { return slices.Contains(c.Argv, arg) })
}

// For is the hint for one machine of a store; storage is the user's -s, or empty.
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

// Using is the hint with docker-machine under the name that it has on the laptop, which is
// asked for only where the hint has it.
func (h Hint) Using(dockerMachine func() string) Hint {
	named := slices.Clone(h)
	for i, c := range named {
		if len(c.Argv) > 0 && c.Argv[0] == dockerMachineProgram {
			named[i].Argv = slices.Concat([]string{dockerMachine()}, c.Argv[1:])
		}
	}
	return named
}

// String writes the command lines so that they work when pasted into a POSIX shell.
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

// MarshalText writes the hint as a string of JSON.
func (h Hint) MarshalText() ([]byte, error) { return []byte(h.String()), nil }
