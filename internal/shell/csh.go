package shell

import "strings"

// csh is the grammar of csh and tcsh. Between double quotes a command's output
// is split at newlines only, so printf with octal escapes carries everything
// else, ! and ^ (history) included. A comment needs the null command: # starts
// one in a script only, and what follows a : is still expanded, hence the
// single quotes, without which the hint would run the command that it names.
func csh(d Dialect) grammar {
	return grammar{
		newline: "\n",
		refuse: func(value string) string {
			if strings.Contains(value, "\n") {
				return string(d) + " splits a value at its newlines"
			}
			return refuseOnlyNUL(value)
		},
		set: func(name, value string) string {
			if plain(value) {
				return "setenv " + name + ` "` + value + `";`
			}
			return "setenv " + name + " \"`printf '" + posixFormat(value) + "'`\";"
		},
		unset: func(name string) string { return "unsetenv " + name + ";" },
		eval: func(usage Usage) (string, bool) {
			// Backquotes do not nest, so a word that needs printf cannot be shown.
			line, ok := words(usage, func(w string) (string, bool) { return w, bare(w) })
			return "eval `" + line + "`", ok
		},
		evalWith:        "eval",
		comment:         func(line string) string { return ": '" + line + "'" },
		betweenComments: ";",
	}
}
