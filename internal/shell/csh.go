package shell

import "strings"

// csh is the grammar of csh and tcsh. Between double quotes a command's output is split only at
// newlines, so printf with octal escapes can carry everything else, including the history
// characters ! and ^. A comment is a null command, because # starts a comment only in a script.
// Text after : is still expanded, hence the single quotes: without them the hint would run the
// command that it names.
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
