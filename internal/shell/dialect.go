// Package shell writes the assignments that a shell, asked to evaluate them,
// turns into exactly the values that were meant, and finds out which shell it
// is that asks. It is text from values and back; it runs nothing.
package shell

import (
	"fmt"
	"slices"
	"strings"
)

// Dialect is a grammar in which assignments can be written. The value is the
// name that the user types after --shell.
type Dialect string

// The dialects. JSON is for programs, and for what has no eval.
const (
	Bash       Dialect = "bash"
	Zsh        Dialect = "zsh"
	Sh         Dialect = "sh"
	Dash       Dialect = "dash"
	Ksh        Dialect = "ksh"
	Fish       Dialect = "fish"
	PowerShell Dialect = "powershell"
	Cmd        Dialect = "cmd"
	Tcsh       Dialect = "tcsh"
	Csh        Dialect = "csh"
	Emacs      Dialect = "emacs"
	Nu         Dialect = "nu"
	Elvish     Dialect = "elvish"
	JSON       Dialect = "json"
)

// All lists the dialects in the order in which the manual names them.
func All() []Dialect {
	return []Dialect{Bash, Zsh, Sh, Dash, Ksh, Fish, PowerShell, Cmd, Tcsh, Csh, Emacs, Nu, Elvish, JSON}
}

// Names is All as text, for messages and completion.
func Names() []string {
	var names []string
	for _, d := range All() {
		names = append(names, string(d))
	}
	return names
}

// UnknownError is a shell whose grammar is not known. There is no guess: what
// one shell reads as an assignment, another reads as a command.
type UnknownError struct {
	// Name is what was asked for or found; "" when no shell was found at all.
	Name string
}

func (e *UnknownError) Error() string {
	if e.Name == "" {
		return "cannot tell which shell is asking: none among the calling processes, and SHELL is not set"
	}
	return fmt.Sprintf("unsupported shell %q; supported: %s", e.Name, strings.Join(Names(), " "))
}

// Parse reads the value of --shell: a dialect's name, the name under which its
// shell is also installed (pwsh, mksh, ash …), or the path of one, since
// `--shell $SHELL` is what people type. The error is an *UnknownError.
func Parse(name string) (Dialect, error) {
	if d, ok := known(name); ok {
		return d, nil
	}
	return "", &UnknownError{Name: name}
}

// Detect finds the shell that will read the output. ancestors are the names of
// the calling processes, the parent first: base names, paths or argv[0] as a
// process list shows them ("-zsh", "/bin/bash", "pwsh.exe"). The nearest shell
// among them wins, if there is nothing in between but programs that hand on what they
// run (sudo, make, time). Any other, such as an editor or a script of Python's, is
// itself the one that asks, and shellEnv, the value of SHELL, is what it runs its
// commands with; it is second because it names the login shell, which need not be the
// one that asks (docker/machine#4825). A shell further out is the last resort.
// A shell that we know of but cannot write for is an *UnknownError, wherever
// it stands: a bash further out is not the one that will read this.
func Detect(ancestors []string, shellEnv string) (Dialect, error) {
	calls := true // whether nothing but such programs is in between
	var outer Dialect
	for _, a := range ancestors {
		d, ok := known(a)
		ok = ok && d != JSON && d != Emacs
		switch {
		case ok && calls:
			return d, nil
		case foreign(a) && calls:
			return "", &UnknownError{Name: baseName(a)}
		case ok && outer == "":
			outer = d
		}
		calls = calls && handsOn(a)
	}
	if d, ok := known(shellEnv); ok && d != JSON && d != Emacs {
		return d, nil
	}
	if outer != "" {
		return outer, nil
	}
	return "", &UnknownError{Name: shellEnv}
}

// handsOn reports whether a program runs another one and lets its caller read the output.
func handsOn(name string) bool {
	switch baseName(name) {
	case "sudo", "doas", "su", "env", "time", "gtime", "make", "gmake", "nice", "ionice", "chrt", "taskset", "nohup", "setsid", "setpriv",
		"timeout", "gtimeout", "stdbuf", "xargs", "caffeinate", "strace", "ltrace", "dtruss", "docker-vpn-helper":
		return true
	}
	return false
}

// known maps a program's name to the dialect that it reads.
func known(name string) (Dialect, bool) {
	base := baseName(name)
	if slices.Contains(All(), Dialect(base)) {
		return Dialect(base), true
	}
	switch base {
	case "rbash":
		return Bash, true
	case "rzsh":
		return Zsh, true
	case "ash", "busybox", "yash", "posh":
		return Sh, true
	case "ksh93", "ksh88", "ksh2020", "rksh", "rksh93", "mksh", "lksh", "pdksh", "oksh", "loksh":
		return Ksh, true
	case "pwsh", "pwsh-preview":
		return PowerShell, true
	case "nushell":
		return Nu, true
	}
	// A shell installed beside another of its kind: zsh-5.9, bash-5.2.
	if stem, version, ok := strings.Cut(base, "-"); ok && isVersion(version) {
		return known(stem)
	}
	return "", false
}

// foreign reports whether a program is a shell that has no dialect here.
func foreign(name string) bool {
	switch baseName(name) {
	case "xonsh", "rc", "es", "osh", "ysh", "oil", "ion", "murex", "hilbish", "scsh", "nsh", "ngs", "closh", "brush", "sash":
		return true
	}
	return false
}

// baseName takes what surrounds a program's name in a process list away: the
// directory, the dash of a login shell, the parentheses of a process without
// arguments (macOS ps), and .exe.
func baseName(name string) string {
	name = strings.TrimSpace(name)
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimPrefix(name, "-")
	if strings.HasPrefix(name, "(") {
		name = strings.TrimSuffix(name[1:], ")")
	}
	name = strings.ToLower(name)
	return strings.TrimSuffix(name, ".exe")
}

func isVersion(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}
