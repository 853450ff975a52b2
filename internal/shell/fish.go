package shell

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// fish is the grammar of fish. `eval (…)` splits at newlines and joins with blanks; `… | source`
// does neither. Between single quotes only the quote and the backslash are special. Control
// characters and bytes that are not UTF-8 are written outside the quotes (fish manual, "Quotes" and
// "Escaping characters").
func fish() grammar {
	return grammar{
		newline: "\n",
		refuse:  refuseOnlyNUL,
		set: func(name, value string) string {
			return "set -gx " + name + " " + fishWord(value) + ";"
		},
		unset: func(name string) string { return "set -e " + name + ";" },
		eval: func(usage Usage) (string, bool) {
			line, _ := words(usage, quoted(fishWord))
			return line + " | source", true
		},
		comment: hash,
	}
}

func fishWord(value string) string {
	if plain(value) {
		return `"` + value + `"`
	}
	return pieces(value, pieceStyle{
		quote:  func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" },
		escape: func(c byte) string { return fmt.Sprintf(`\X%02x`, c) },
		text:   func(r rune) bool { return r >= ' ' && r != 0x7f },
	})
}

// pieceStyle is how pieces writes text, and the bytes between.
type pieceStyle struct {
	quote  func(run string) string
	escape func(c byte) string
	text   func(r rune) bool // whether a rune may be in a quoted run
}

// pieces splits a value into runs of text and the bytes that cannot be in one, and writes each in
// its style.
func pieces(value string, style pieceStyle) string {
	var out strings.Builder
	run := 0
	flush := func(end int) {
		if end > run {
			out.WriteString(style.quote(value[run:end]))
		}
	}
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		if (r == utf8.RuneError && size == 1) || !style.text(r) {
			flush(i)
			for _, c := range []byte(value[i : i+size]) {
				out.WriteString(style.escape(c))
			}
			run = i + size
		}
		i += size
	}
	flush(len(value))
	return out.String()
}
