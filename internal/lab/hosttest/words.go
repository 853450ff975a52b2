package hosttest

import (
	"errors"
	"strings"
)

// split makes words of a line: '…', "…" and backslashes as in a shell, and
// nothing else of it.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, any, escaped := rune(0), false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && in != '\'':
			escaped, any = true, true
		case in != 0 && r == in:
			in = 0
		case in != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			in, any = r, true
		case r == ' ' || r == '\t':
			if any {
				words = append(words, word.String())
				word.Reset()
				any = false
			}
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if in != 0 || escaped {
		return nil, errors.New("a quotation mark or backslash without its end")
	}
	if any {
		words = append(words, word.String())
	}
	return words, nil
}

// quote is what split makes the same word of.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\\'\"\n") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
