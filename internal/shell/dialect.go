// Package shell writes assignments that a shell evaluates to exactly the intended values, and
// detects which shell is asking. It turns values into text and back; it runs nothing.
package shell

import (
	"fmt"
	"slices"
	"strings"
)

// Dialect is a syntax for assignments. Its value is the name for --shell.
type Dialect string

// The dialects. JSON is for other programs.
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

// Names returns All as strings, for messages and completion.
func Names() []string {
	var names []string
	for _, d := range All() {
		names = append(names, string(d))
	}
	return names
}

// UnknownError is the error for a shell with an unknown syntax. We never guess: what one shell
// reads as an assignment, another one may run as a command.
type UnknownError struct {
	// Name is the requested or detected shell; "" if none was found.
	Name string
}

func (e *UnknownError) Error() string {
	if e.Name == "" {
		return "cannot tell which shell is asking: none among the calling processes, and SHELL is not set"
	}
	return fmt.Sprintf("unsupported shell %q; supported: %s", e.Name, strings.Join(Names(), " "))
}

// Parse parses the value of --shell: the name of a dialect, another name of its shell (pwsh, mksh,
// ash …), or its path, because people type `--shell $SHELL`. The error is an *UnknownError.
func Parse(name string) (Dialect, error) {
	if d, ok := known(name); ok {
		return d, nil
	}
	return "", &UnknownError{Name: name}
}

// Detect finds the shell that will read the output. ancestors are the names of the calling
// processes, the parent first: base names, paths or argv[0] from a process list ("-zsh",
// "/bin/bash", "pwsh.exe"). The result is the nearest shell, provided that only wrappers (sudo,
// make, time) are in between. Any other program, such as an editor or a Python script, is itself
// the one that asks. It runs commands with $SHELL, whose value is shellEnv; that is the second
// choice, because it names the login shell, which need not be the one that asks
// (docker/machine#4825). A shell farther out is the last choice. If the nearest shell is one that
// we know but cannot write for, the error is an *UnknownError: a bash farther out would not read
// the output.
func Detect(ancestors []string, shellEnv string) (Dialect, error) {
	onlyWrappers := true // whether only wrappers are in between
	var outerShell Dialect
	for _, a := range ancestors {
		d, ok := known(a)
		ok = ok && d != JSON && d != Emacs
		switch {
		case ok && onlyWrappers:
			return d, nil
		case isUnsupported(a) && onlyWrappers:
			return "", &UnknownError{Name: baseName(a)}
		case ok && outerShell == "":
			outerShell = d
		}
		onlyWrappers = onlyWrappers && isWrapper(a)
	}
	if d, ok := known(shellEnv); ok && d != JSON && d != Emacs {
		return d, nil
	}
	if outerShell != "" {
		return outerShell, nil
	}
	return "", &UnknownError{Name: shellEnv}
}

// isWrapper reports whether a program runs another one and passes its output to the caller.
func isWrapper(name string) bool {
	switch baseName(name) {
	case "sudo", "doas", "su", "env", "time", "gtime", "make", "gmake", "nice", "ionice", "chrt", "taskset", "nohup", "setsid", "setpriv",
		"timeout", "gtimeout", "stdbuf", "xargs", "caffeinate", "strace", "ltrace", "dtruss", "docker-vpn-helper":
		return true
	}
	return false
}

// known returns the dialect that a program reads.
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
	// Several versions may be installed: zsh-5.9, bash-5.2.
	if stem, version, ok := strings.Cut(base, "-"); ok && isVersion(version) {
		return known(stem)
	}
	return "", false
}

// isUnsupported reports whether a program is a shell without a dialect here.
func isUnsupported(name string) bool {
	switch baseName(name) {
	case "xonsh", "rc", "es", "osh", "ysh", "oil", "ion", "murex", "hilbish", "scsh", "nsh", "ngs", "closh", "brush", "sash":
		return true
	}
	return false
}

// baseName returns a program's name without what a process list adds: the directory, the dash of a
// login shell, the parentheses of a process without arguments (macOS ps), and .exe.
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
