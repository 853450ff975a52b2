package shell

import "strings"

// posix is the grammar of bash, zsh, dash, ksh and other Bourne shells. A value that is not plain
// goes through printf with octal escapes. Only that form survives an unquoted eval, which splits at
// blanks, joins with single blanks, and expands file name patterns.
func posix() grammar {
	return grammar{
		newline: "\n",
		refuse:  refuseOnlyNUL,
		set: func(name, value string) string {
			if body, ok := strings.CutSuffix(value, "\n"); ok {
				// $(…) strips newlines at the end, so a dot protects them.
				return "export " + name + `="$(printf '` + posixFormat(body) + `\012.')"; ` + name + `="${` + name + `%.}";`
			}
			return "export " + name + "=" + posixWord(value) + ";"
		},
		unset: func(name string) string { return "unset " + name + ";" },
		eval: func(usage Usage) (string, bool) {
			line, ok := words(usage, posixHintWord)
			return `eval "$(` + line + `)"`, ok
		},
		evalWith: `eval "$(…)"`,
		comment:  hash,
	}
}

// posixWord quotes a value that does not end in a newline.
func posixWord(value string) string {
	if plain(value) {
		return `"` + value + `"`
	}
	return `"$(printf '` + posixFormat(value) + `')"`
}

// posixFormat writes a value as a format for printf(1). A leading dash is escaped, because printf
// would take it for an option.
func posixFormat(value string) string {
	return octal(value, func(i int, c byte) bool { return plainByte(c) && !(i == 0 && c == '-') })
}

func posixHintWord(word string) (string, bool) {
	if bare(word) {
		return word, true
	}
	return posixWord(word), !strings.HasSuffix(word, "\n") && !strings.ContainsRune(word, 0)
}

// Quote quotes a word for a POSIX command line that people read: unquoted if possible, otherwise in
// single quotes. Control characters, which a terminal would not show, become octal escapes.
func Quote(word string) string {
	switch {
	case bare(word):
		return word
	case strings.IndexFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		// $(…) strips newlines at the end; between quotes they stay.
		body := strings.TrimRight(word, "\n")
		if tail := word[len(body):]; tail != "" {
			return Quote(body) + "'" + tail + "'"
		}
		return posixWord(word)
	}
	return SingleQuoted(word)
}

// SingleQuoted returns a word in single quotes for a POSIX shell, which then changes no character.
func SingleQuoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Command joins words, each quoted by Quote, into a command line.
func Command(argv ...string) string {
	quoted := make([]string, len(argv))
	for i, w := range argv {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
