package shell

import (
	"fmt"
	"strings"
)

// Var is one environment variable to set, or, with Unset, to remove.
type Var struct {
	Name  string // letters, digits, underscores
	Value string // any bytes but NUL
	Unset bool
}

// Usage is the command line, word by word, that prints the block, for the hint
// at its end: {"docker-vpn-helper", "env", "default"}. Nil means no hint.
type Usage []string

// UnrepresentableError is a value that a shell's grammar cannot carry, or not
// in the form in which the shell is to evaluate it.
type UnrepresentableError struct {
	Dialect Dialect
	Name    string // the variable
	Reason  string // "tcsh splits a value at its newlines"
}

func (e *UnrepresentableError) Error() string {
	return fmt.Sprintf("cannot write %s for %s: %s", e.Name, e.Dialect, e.Reason)
}

// Render writes the block that sets vars, in their order, in dialect d: one
// assignment a line, each ending in a semicolon where the shell allows one,
// because an unquoted `eval $(…)` joins all lines into one; for that reason
// also nothing in the block depends on runs of blanks, on newlines or on file
// name patterns, and the hint, a comment, comes last. The error is an
// *UnrepresentableError, or tells of a name that is no variable's; then there
// is no text at all, so that no half of an environment is ever set.
//
// These values cannot be carried, each for want of a way to write it:
//   - NUL, anywhere: no environment holds it
//   - newline in tcsh and csh
//   - newline, carriage return and other control characters, the double quote
//     and the empty value in cmd
//   - the empty value in powershell: assigning it removes the variable
//   - bytes that are not UTF-8 in powershell, cmd, nu and json
func Render(d Dialect, vars []Var, usage Usage) (string, error) {
	g, ok := grammarOf(d)
	if !ok {
		return "", &UnknownError{Name: string(d)}
	}
	var b strings.Builder
	b.WriteString(g.open)
	for i, v := range vars {
		if !validName(v.Name) {
			return "", fmt.Errorf("%q is no name for an environment variable", v.Name)
		}
		if i > 0 {
			b.WriteString(g.between)
		}
		if v.Unset {
			b.WriteString(g.unset(v.Name) + g.newline)
			continue
		}
		if reason := g.refuse(v.Value); reason != "" {
			return "", &UnrepresentableError{Dialect: d, Name: v.Name, Reason: reason}
		}
		b.WriteString(g.set(v.Name, v.Value) + g.newline)
	}
	b.WriteString(g.close)
	if len(usage) > 0 && g.eval != nil {
		b.WriteString(g.hint(usage))
	}
	return b.String(), nil
}

// hint is the comment that names the command which evaluates what usage prints.
func (g grammar) hint(usage Usage) string {
	line, ok := g.eval(usage)
	if !ok {
		return g.comment(strings.TrimSuffix(hintLine, ":")+" with "+g.evalWith) + "\n"
	}
	return g.comment(hintLine) + g.betweenComments + "\n" + g.comment(line) + "\n"
}

// Eval is the command line that makes a shell evaluate what usage prints, such as
// `eval "$(docker-vpn-helper env default)"`. ok is false for a dialect that evaluates
// nothing, and for a word that its command line cannot show.
func Eval(d Dialect, usage Usage) (line string, ok bool) {
	g, ok := grammarOf(d)
	if !ok || g.eval == nil {
		return "", false
	}
	return g.eval(usage)
}

// RenderUnset writes the block that takes variables back: those in before that
// are marked Unset were not there and are removed, the others get the value
// that they had. It fails as Render does.
func RenderUnset(d Dialect, before []Var, usage Usage) (string, error) {
	if d != Nu {
		return Render(d, before, usage)
	}
	// What nu reads back as JSON can set variables but hide none.
	text, err := Render(d, before, nil)
	if err == nil && len(usage) > 0 {
		text += "# Nushell evaluates no output: paste the lines above.\n"
	}
	return text, err
}

// grammar is what a dialect's text is made of.
type grammar struct {
	open, between, close string // around and between the assignments
	newline              string // after an assignment
	// refuse is why a value cannot be carried; "" if it can.
	refuse func(value string) string
	set    func(name, value string) string
	unset  func(name string) string
	// eval is the command that evaluates what usage prints; ok is false where a word
	// cannot be shown in it. Nil where a shell evaluates nothing.
	eval func(usage Usage) (line string, ok bool)
	// evalWith names what evaluates, for a hint that cannot show the command.
	evalWith string
	comment  func(line string) string
	// betweenComments is what must be written between two of them, besides a newline.
	betweenComments string
}

func grammarOf(d Dialect) (grammar, bool) {
	switch d {
	case Bash, Zsh, Sh, Dash, Ksh:
		return posix(), true
	case Tcsh, Csh:
		return csh(d), true
	case Fish:
		return fish(), true
	case Elvish:
		return elvish(), true
	case Emacs:
		return emacs(), true
	case PowerShell:
		return powerShell(), true
	case Cmd:
		return cmd(), true
	case Nu:
		return nu(), true
	case JSON:
		return jsonObject(), true
	}
	return grammar{}, false
}

const hintLine = "Run this command to configure your shell:"

func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && !(i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}
