package cli

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// command returns a command line of this program as text that can be pasted into a shell.
func (a *app) command(args ...string) string { return hint.Own(args...).For(a.storage, "").String() }

// again returns this command line with flags added.
func (a *app) again(flags ...string) hint.Hint {
	line := append([]string{"docker-vpn-helper"}, a.args...)
	end := len(line)
	if dash := slices.Index(line, "--"); dash >= 0 {
		end = dash // the arguments after it are not flags
	}
	return hint.Run(slices.Insert(line, end, flags...)...)
}

// program returns the beginning of a command line: this program and its global flags.
func (a *app) program() shell.Usage {
	if a.storage != "" {
		return shell.Usage{"docker-vpn-helper", "-s", a.storage}
	}
	return shell.Usage{"docker-vpn-helper"}
}

// corrected returns this command line with one word replaced: an argument, a flag, or the value of
// a flag. It returns nil if the command line does not have the word.
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

// line returns a command line of this program.
func (a *app) line(args []string) hint.Hint {
	return hint.Run(append([]string{"docker-vpn-helper"}, args...)...)
}

// without returns this command line without some of its arguments.
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

// instead returns a command line with command in place of the word name and all before it. It keeps
// the arguments after name, but no flags.
func (a *app) instead(name string, command ...string) hint.Hint {
	return hint.Own(append(command, a.argumentsAfter(name)...)...)
}

// argumentsAfter returns the arguments after the word name, without flags.
func (a *app) argumentsAfter(name string) []string {
	after := a.args[slices.Index(a.args, name)+1:]
	return slices.DeleteFunc(slices.Clone(after), func(s string) bool { return strings.HasPrefix(s, "-") })
}
