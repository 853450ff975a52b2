package shell

import (
	"fmt"
	"strings"
)

// Startup returns the line for a shell's startup file that sets the environment in every new
// terminal: it evaluates what usage prints if the file at guard is readable. Without that file it
// costs nothing. If the program is missing or fails, the line prints nothing, because a terminal
// must open as usual. file is where the line belongs, such as "~/.zshrc". The error is an
// *UnrepresentableError if the shell has no such file, or if its syntax cannot represent a path.
func Startup(d Dialect, macOS bool, guard string, usage Usage) (line, file string, err error) {
	usage = append(usage[:len(usage):len(usage)], "--shell", string(d))
	refuse := func(reason string) (string, string, error) {
		return "", "", &UnrepresentableError{Dialect: d, Name: "a startup line", Reason: reason}
	}
	if reason := refuseOnlyNUL(guard + strings.Join(usage, "")); reason != "" {
		return refuse(reason)
	}
	switch d {
	case Bash, Zsh, Sh, Dash, Ksh:
		file = map[Dialect]string{Bash: "~/.bashrc", Zsh: "~/.zshrc", Ksh: "~/.kshrc"}[d]
		switch {
		case d == Bash && macOS:
			file = "~/.bash_profile" // Terminal's shells are login shells there
		case file == "":
			file = "~/.profile"
		}
		return fmt.Sprintf("if [ -r %s ]; then eval \"$(%s 2>/dev/null)\"; fi\n", Quote(guard), Command(usage...)), file, nil
	case Fish:
		command, _ := words(usage, quoted(fishWord))
		return fmt.Sprintf("if test -r %s; and type -q %s; %s 2>/dev/null | source; end\n", fishWord(guard), fishWord(usage[0]), command), "~/.config/fish/config.fish", nil
	case Tcsh, Csh:
		// In one line csh would run the command whatever the condition is; in backquotes it cannot
		// quote everything; and it cannot discard stderr alone.
		command, ok := words(usage, func(w string) (string, bool) { return w, bare(w) })
		if !ok || !bare(guard) {
			return refuse("a path with blanks or other special characters is in it")
		}
		return fmt.Sprintf("if ( -r %s ) then\n  eval \"`sh -c '%s 2>/dev/null'`\"\nendif\n", guard, command), "~/." + string(d) + "rc", nil
	case Elvish:
		command, _ := words(usage, quoted(elvishWord))
		return fmt.Sprintf("use path; if (path:is-regular &follow-symlink=$true %s) { nop ?(eval (%s 2>/dev/null | slurp)) }\n", elvishWord(guard), command), "~/.config/elvish/rc.elv", nil
	case Emacs:
		command, ok := words(usage, posixHintWord)
		if !ok {
			return refuse("a path with a newline at its end is in it")
		}
		return fmt.Sprintf("(when (file-readable-p %s) (with-temp-buffer (shell-command %s (current-buffer)) (eval-buffer)))\n",
			emacsString(guard), emacsString(command+" 2>/dev/null")), "~/.emacs.d/init.el", nil
	case PowerShell:
		command, ok := words(usage, powerShellHintWord)
		if !ok || refuseNonText(guard) != "" {
			return refuse(refuseNotUTF8)
		}
		return fmt.Sprintf("if ((Test-Path -LiteralPath (%s)) -and (Get-Command %s -ErrorAction SilentlyContinue)) { & %s 2>$null | Invoke-Expression }\n",
			powerShellExpr(guard), usage[0], command), "$PROFILE", nil
	case Nu:
		usage[len(usage)-1] = string(JSON) // nu evaluates no output
		command, ok := words(usage, quoted(nuString))
		if !ok || refuseNonText(guard) != "" {
			return refuse(refuseNotUTF8)
		}
		return fmt.Sprintf("if (%s | path exists) and (which %s | is-not-empty) { ^%s | from json | load-env }\n", nuString(guard), usage[0], command), "config.nu", nil
	}
	return refuse("it has no startup file")
}
