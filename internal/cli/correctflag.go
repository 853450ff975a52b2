package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// flagError replaces pflag's error about a flag with one that has a hint.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		without *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		return a.unknownFlag(cmd, unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())
	case errors.As(err, &without):
		flag, next := without.GetFlag(), a.helpOf(cmd)
		if example := a.exampleOf(flag); example != "" {
			next = a.again(example)
		}
		return misused(next, "--%s needs a value", flag.Name)
	case errors.As(err, &invalid):
		flag, value := invalid.GetFlag(), invalid.GetValue()
		meant := a.corrected(value, a.nearestValue(flag, value))
		if meant == nil {
			meant = a.helpOf(cmd)
		}
		return misused(meant, "--%s takes %s, not %q", flag.Name, kindOf(flag), value)
	case errors.As(err, &syntax):
		typed := syntax.GetSpecifiedFlag()
		return misused(a.nearestOf(typed, flagsOf(cmd), a.helpOf(cmd)), "%q is no flag", typed)
	}
	return misused(a.helpOf(cmd), "%v", err)
}

// flagSynonyms maps flags of other programs to this program's.
var flagSynonyms = map[string]string{
	"-n": "--dry-run", "-a": "--all", "-D": "--verbose", "--debug": "--verbose", "--storage": "--storage-path",
	"-V": "--version", "--output": "--json", "--check": "--dry-run", "--simulate": "--dry-run", "--assume-yes": "--yes", "--force": "--yes", "-f": "--yes", "--colour": "--color",
}

// unknownFlag returns the error for a flag that a command does not have. letters is what followed a
// single dash, or "" if there were two.
func (a *app) unknownFlag(cmd *cobra.Command, name, letters string) error {
	if err := a.misplacedWord(cmd, "--"+name); err != nil {
		return err
	}
	typed, otherwise := "--"+name, a.helpOf(cmd)
	if letters != "" {
		typed = "-" + letters
		for _, arg := range a.args { // in -yes, y is a known flag and letters is the rest
			if word, _, _ := strings.Cut(arg, "="); !strings.HasPrefix(word, "--") && strings.HasPrefix(word, "-") && strings.HasSuffix(arg, letters) {
				typed, letters = word, strings.TrimPrefix(word, "-")
			}
		}
	}
	flags := flagsOf(cmd)
	likely := append([]string{}, flagSynonyms[typed], "-"+strings.ToLower(letters), "--"+strings.TrimPrefix(letters, "-"))
	for _, flag := range likely {
		if slices.Contains(flags, flag) && len(flag) > 1 {
			return misused(a.corrected(typed, flag), "unknown flag %s", typed)
		}
	}
	if near := nearest("--"+strings.TrimLeft(typed, "-"), flags, 1); len(near) > 0 && len(typed) > 2 {
		return misused(a.corrected(typed, near[0]), "unknown flag %s", typed)
	}
	if err := a.flagBelow(cmd, typed); err != nil {
		return err
	}
	for _, c := range a.table {
		if other := c.build(); other.Flags().Lookup(name) != nil && letters == "" && slices.Contains(a.args, cmd.Name()) {
			return misused(a.asCommand(cmd, other.Name()), "%s has no flag %s, but %s has", cmd.Name(), typed, other.Name())
		}
	}
	return misused(otherwise, "unknown flag %s", typed)
}

// flagBelow returns the error for a flag that one of the command's subcommands has, at least
// nearly. It returns nil if none has it.
func (a *app) flagBelow(cmd *cobra.Command, typed string) error {
	for _, sub := range cmd.Commands() {
		near := nearest(typed, flagsOf(sub), 1)
		if !cmd.HasParent() || !strings.HasPrefix(typed, "--") || len(near) == 0 {
			continue
		}
		meant := a.corrected(typed, near[0])
		meant[0].Argv = slices.Insert(meant[0].Argv, slices.Index(meant[0].Argv, cmd.Name())+1, sub.Name())
		if sub.ValidateArgs(nil) != nil {
			meant = a.helpOf(sub)
		}
		return misused(meant, "%s has no flag %s, but %s %s has %s", cmd.Name(), typed, cmd.Name(), sub.Name(), near[0])
	}
	return nil
}

// misplacedWord returns the error for an unknown flag if the command itself is wrong: it does not
// exist, or was typed after its flag. Otherwise it returns nil.
func (a *app) misplacedWord(cmd *cobra.Command, flag string) error {
	if word := a.dockerMachineVerb(cmd); word != "" {
		return a.unknownCommand(word)
	}
	var words []string
	for _, arg := range a.args {
		if !strings.HasPrefix(arg, "-") {
			words = append(words, arg)
		}
	}
	switch {
	case len(words) == 0:
	case cmd.HasParent() && cmd.HasSubCommands():
		// The word after a flag may be its value, and the word after ports may be a docker host.
		after := a.args[slices.Index(a.args, cmd.Name())+1:]
		if len(after) == 0 || strings.HasPrefix(after[0], "-") || takesHost(cmd) && cmd.ValidateArgs(after[:1]) == nil && len(nearest(after[0], subcommandsOf(cmd), 1)) == 0 {
			return nil
		}
		return a.unknownSubcommand(cmd, after[:1])
	case !cmd.HasParent() && a.args[0] == words[0]:
		return a.unknownCommand(words[0])
	case !cmd.HasParent():
		for _, c := range a.all() {
			if c.names[0] == words[0] && slices.Contains(flagsOf(c.build()), flag) {
				return misused(hint.Own(append(words, flag)...), "%s belongs behind %s", flag, words[0])
			}
		}
	}
	return nil
}

// asCommand returns this command line with cmd replaced by the command name.
func (a *app) asCommand(cmd *cobra.Command, name string) hint.Hint {
	line := a.args
	for _, word := range strings.Fields(cmd.CommandPath())[1:] {
		i := slices.Index(line, word)
		line = slices.Concat(line[:i], line[i+1:])
	}
	if cmd.Name() == "renew" && name == "fix" {
		line = slices.Concat([]string{"--reissue"}, line)
	}
	if name == "proxy" {
		line = append(slices.Clone(line), "--check") // without --check, proxy would start to serve
	}
	return hint.Own(append([]string{name}, line...)...)
}

// singleDash returns an error if the command line has docker-machine's flag -storage-path. pflag
// would read it as -s with the value torage-path.
func (a *app) singleDash() error {
	for _, arg := range a.args {
		if flag, _, _ := strings.Cut(arg, "="); flag == "-storage-path" {
			return misused(a.corrected(flag, "--storage-path"), "-storage-path needs two dashes")
		} else if arg == "--" {
			break
		}
	}
	return nil
}

// dockerMachineVerb returns the command of docker-machine's that was typed in place of one of this
// program's, or "".
func (a *app) dockerMachineVerb(cmd *cobra.Command) string {
	if cmd.HasParent() {
		return ""
	}
	i := slices.IndexFunc(a.args, func(arg string) bool { return slices.Contains(dockerMachineVerbs, strings.ToLower(arg)) })
	if i < 0 || i > 0 && i != 2 {
		return ""
	}
	return a.args[i]
}

// flagsOf returns the flags of a command as they are typed, with their dashes.
func flagsOf(cmd *cobra.Command) []string {
	var all []string
	add := func(f *pflag.Flag) {
		all = append(all, "--"+f.Name)
		if f.Shorthand != "" {
			all = append(all, "-"+f.Shorthand)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return all
}

// kindOf describes the values that a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a number"
	case "duration":
		return "a duration such as 30s or 2m"
	case "bool":
		return "true or false"
	}
	return "a value"
}

// nearestValue returns a valid value for a flag, as near to the given one as possible.
func (a *app) nearestValue(f *pflag.Flag, value string) string {
	switch f.Value.Type() {
	case "bool":
		if strings.HasPrefix("no", strings.ToLower(value)) || strings.HasPrefix(strings.ToLower(value), "of") {
			return "false"
		}
		return "true"
	case "duration":
		if strings.Trim(value, "0123456789") == "" && len(value) < 6 {
			return value + "s"
		}
	}
	return a.exampleOf(f)
}

// exampleOf returns a value that a hint can show for a flag, or "" if no value is right everywhere.
func (a *app) exampleOf(f *pflag.Flag) string {
	switch f.Name {
	case "port":
		return fmt.Sprint(store.DefaultDaemonPort)
	case "timeout":
		return "2m"
	case "public":
		return "auto"
	case "color":
		return "auto"
	case "report":
		return "report.txt"
	case "shell":
		return "sh"
	case "format":
		return "{{.Name}}"
	case "host":
		return "local"
	case "storage-path":
		return store.DefaultDir(a.Getenv, a.Getenv("HOME"))
	}
	return strings.Trim(f.DefValue, "[]") // the default of an empty list is []
}
