// Package cmdline checks command lines against what the programs in them accept, so that every
// printed hint can be pasted.
package cmdline

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed usages.txt
var usagesText string

// Laptop is the computer on which a command line would be pasted.
type Laptop struct {
	OS string // "darwin", "linux"
	// Networks points to whether VirtualBox has host-only networks instead of adapters; nil if its
	// version is unknown.
	Networks *bool
}

// Programs are the usages of known programs.
type Programs struct{ usages []usage }

// usage is one form of a program's command line.
type usage struct {
	where   string
	program string
	options []option
	words   []string // the positional arguments
}

type option struct {
	name     string
	value    string // the form of its value; "" if it takes none
	required bool
}

// Known returns the programs of usages.txt, and this program, whose commands and flags are read
// from its man pages.
func Known(manDir string) (Programs, error) {
	var p Programs
	for line := range strings.Lines(usagesText) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p.usages = append(p.usages, parseUsage(line))
		}
	}
	pages, err := filepath.Glob(filepath.Join(manDir, "*.1"))
	if err != nil || len(pages) == 0 {
		return p, fmt.Errorf("no man pages in %s: %w", manDir, errors.Join(err, errors.ErrUnsupported))
	}
	root, err := ownUsage(filepath.Join(manDir, "docker-vpn-helper.1"))
	if err != nil {
		return p, err
	}
	for _, page := range pages {
		u, err := ownUsage(page)
		if err != nil {
			return p, err
		}
		u.options = append(u.options, root.options...) // they are global
		p.usages = append(p.usages, u)
	}
	return p, nil
}

func parseUsage(line string) usage {
	var u usage
	if rest, ok := strings.CutPrefix(line, "["); ok && !strings.HasPrefix(rest, "-") {
		u.where, line, _ = strings.Cut(rest, "] ")
	}
	fields := strings.Fields(line)
	u.program = fields[0]
	for _, f := range fields[1:] {
		inside := strings.Trim(f, "[]()")
		if !strings.HasPrefix(inside, "-") || inside == "--" {
			u.words = append(u.words, inside)
			continue
		}
		name, value, _ := strings.Cut(inside, "=")
		u.options = append(u.options, option{name: name, value: value, required: strings.HasPrefix(f, "(")})
	}
	return u
}

// Check returns an error unless every command in a text is a known program, with arguments and
// options that it accepts on the laptop.
func (p Programs) Check(text string, on Laptop) error {
	commands, inner, err := split(text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	for _, argv := range commands {
		if err := p.command(argv, on); err != nil {
			return err
		}
	}
	for _, i := range inner {
		if err := p.Check(i, on); err != nil {
			return err
		}
	}
	return nil
}

func (p Programs) command(argv []string, on Laptop) error {
	known := false
	var elsewhere []string
	for _, u := range p.usages {
		if u.program != argv[0] {
			continue
		}
		known = true
		command, ok := u.fits(argv[1:])
		switch {
		case !ok:
		case !on.has(u.where):
			elsewhere = append(elsewhere, u.where)
		case command != nil:
			return p.command(command, on)
		default:
			return nil
		}
	}
	switch {
	case !known:
		return fmt.Errorf("%q: not a known program: add its usage to usages.txt", argv)
	case len(elsewhere) > 0:
		return fmt.Errorf("%q: only where there is %s", argv, strings.Join(elsewhere, ", "))
	}
	return fmt.Errorf("%q: no usage of %s fits", argv, argv[0])
}

func (l Laptop) has(where string) bool {
	switch where {
	case "":
		return true
	case "networks", "adapters":
		return l.Networks == nil || *l.Networks == (where == "networks")
	}
	return l.OS == where
}

// fits reports whether arguments match this form. If the form ends in another command, command is
// that one.
func (u usage) fits(args []string) (command []string, ok bool) {
	given := map[string]bool{}
	words := u.words
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(words) > 0 && words[0] == "COMMAND..." {
			return append([]string{arg}, args...), true
		}
		if name, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(name, "--") {
			if o, found := u.option(name); found && o.value != "" {
				arg, args = name, append([]string{value}, args...)
			} else if value == "true" || value == "false" {
				arg = name
			}
		}
		if o, found := u.option(arg); found && !u.past(words) {
			given[o.name] = true
			if o.value == "" {
				continue
			}
			if len(args) == 0 || !form(o.value, args[0]) {
				return nil, false
			}
			args = args[1:]
			continue
		}
		if words = after(words, arg); words == nil {
			return nil, false
		}
	}
	for _, o := range u.options {
		if o.required && !given[o.name] {
			return nil, false
		}
	}
	alone := slices.ContainsFunc(inPlaceOfArguments, func(o string) bool { return given[o] })
	for _, w := range words {
		if !strings.HasSuffix(w, "?") && !(alone && w == strings.ToUpper(w)) {
			return nil, false
		}
	}
	return nil, true
}

// inPlaceOfArguments are options with which a command needs no arguments.
var inPlaceOfArguments = []string{"--help", "--list"}

// past reports whether options are no longer options: docker-machine takes everything after its
// first argument as arguments.
func (u usage) past(left []string) bool {
	return u.program == "docker-machine" && (len(left) < len(u.words)-1 || len(left) > 0 && strings.HasSuffix(left[0], "...?"))
}

// after returns the words that may follow an argument; nil if the argument does not match.
func after(words []string, arg string) []string {
	if len(words) == 0 {
		return nil
	}
	w := words[0]
	name, repeats := strings.CutSuffix(strings.TrimSuffix(w, "?"), "...")
	free := name == strings.ToUpper(name)
	switch {
	case strings.HasPrefix(arg, "-") && name != "WORD" && name != arg, free && !form(name, arg), !free && !slices.ContainsFunc(strings.Split(name, "|"), func(o string) bool { return digits(o, arg) }):
		return nil
	case repeats:
		return append([]string{name + "...?"}, words[1:]...)
	}
	return append([]string{}, words[1:]...)
}

func (u usage) option(arg string) (option, bool) {
	for _, o := range u.options {
		if digits(o.name, arg) {
			return o, true
		}
	}
	return option{}, false
}

// digits reports whether a word matches a pattern in which # is a digit.
func digits(pattern, word string) bool {
	ok, err := regexp.MatchString("^"+strings.ReplaceAll(regexp.QuoteMeta(pattern), "#", "[1-8]")+"$", word)
	return err == nil && ok
}

// form reports whether an argument has the form that its name in a usage stands for.
func form(name, arg string) bool {
	switch name {
	case "IP":
		_, err := netip.ParseAddr(arg)
		return err == nil
	case "NET":
		_, err := netip.ParsePrefix(arg)
		return err == nil
	case "RULE":
		return regexp.MustCompile(`^[^,]+,(tcp|udp),[^,]*,[1-9]\d*,[^,]*,[1-9]\d*$`).MatchString(arg)
	case "PID", "PORT", "NUMBER":
		return regexp.MustCompile(`^[1-9]\d*$`).MatchString(arg)
	case "URL":
		return strings.Contains(arg, ":")
	case "ASSIGNMENT":
		return regexp.MustCompile(`^[A-Z_]+=`).MatchString(arg)
	}
	if name != strings.ToUpper(name) {
		return name == arg
	}
	return arg != "" || name == "WORD"
}
