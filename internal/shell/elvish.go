package shell

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// elvish is the grammar of elvish. Its eval takes one string, which is the output through slurp.
// Between double quotes \xhh is a byte (elvish language reference, "Double-quoted string").
func elvish() grammar {
	return grammar{
		newline: "\n",
		refuse:  refuseOnlyNUL,
		set: func(name, value string) string {
			return "set-env " + name + " " + elvishWord(value) + ";"
		},
		unset: func(name string) string { return "unset-env " + name + ";" },
		eval: func(usage Usage) (string, bool) {
			line, _ := words(usage, quoted(elvishWord))
			return "eval (" + line + " | slurp)", true
		},
		comment: hash,
	}
}

func elvishWord(value string) string {
	if plain(value) {
		return `"` + value + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(value[i])
		case r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, value[i])
		default:
			b.WriteString(value[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}
