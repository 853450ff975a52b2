package shell

import (
	"fmt"
	"strings"
)

// Var is an environment variable to set, or to remove if Unset is true.
type Var struct {
	Name  string // letters, digits, underscores
	Value string // any bytes but NUL
	Unset bool
}

// Usage is the command line that prints the block, as words, for the hint at its end:
// {"docker-vpn-helper", "env", "default"}. Nil means no hint.
type Usage []string

// UnrepresentableError is the error for a value that a shell's syntax cannot carry, or not in the
// form that the shell evaluates.
type UnrepresentableError struct {
	Dialect Dialect
	Name    string // the variable
	Reason  string // "tcsh splits a value at its newlines"
}

func (e *UnrepresentableError) Error() string {
	return fmt.Sprintf("cannot write %s for %s: %s", e.Name, e.Dialect, e.Reason)
}

// Render writes the block that sets vars in dialect d, one assignment on each line. An unquoted
// `eval $(…)` joins all lines into one. Therefore assignments end in a semicolon if the shell
// allows it, nothing depends on runs of blanks, newlines or file name patterns, and the hint, a
// comment, comes last. The error is an *UnrepresentableError, or is about an invalid variable name.
// With an error there is no text, so that an environment is never half set.
//
// These values cannot be represented, because there is no way to write them:
//   - NUL in any shell: no environment can hold it
//   - newline in tcsh and csh
//   - newline, carriage return and other control characters, the double quote and the empty value
//     in cmd
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

// hint returns the comment that names the command which evaluates what usage prints.
func (g grammar) hint(usage Usage) string {
	line, ok := g.eval(usage)
	if !ok {
		return g.comment(strings.TrimSuffix(hintLine, ":")+" with "+g.evalWith) + "\n"
	}
	return g.comment(hintLine) + g.betweenComments + "\n" + g.comment(line) + "\n"
}

// Eval returns the command line with which a shell evaluates what usage prints, such as `eval
// "$(docker-vpn-helper env default)"`. ok is false if the dialect cannot evaluate output, or if its
// command line cannot show one of the words.
func Eval(d Dialect, usage Usage) (line string, ok bool) {
	g, ok := grammarOf(d)
	if !ok || g.eval == nil {
		return "", false
	}
	return g.eval(usage)
}

// RenderUnset writes the block that restores variables: those in before that are marked Unset did
// not exist and are removed, the others get their earlier value. Its errors are those of Render.
func RenderUnset(d Dialect, before []Var, usage Usage) (string, error) {
	if d != Nu {
		return Render(d, before, usage)
	}
	// JSON can set variables in nu but not remove any.
	text, err := Render(d, before, nil)
	if err == nil && len(usage) > 0 {
		text += "# Nushell evaluates no output: paste the lines above.\n"
	}
	return text, err
}

// grammar is the syntax of a dialect.
type grammar struct {
	open, between, close string // around and between the assignments
	newline              string // after an assignment
	// refuse returns why a value cannot be represented, or "".
	refuse func(value string) string
	set    func(name, value string) string
	unset  func(name string) string
	// eval returns the command that evaluates what usage prints; ok is false if it cannot show a
	// word. It is nil if a shell cannot evaluate output.
	eval func(usage Usage) (line string, ok bool)
	// evalWith names what evaluates output, for a hint that cannot show the whole command.
	evalWith string
	comment  func(line string) string
	// betweenComments is written between two comments, before the newline.
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
