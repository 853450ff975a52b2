package shell

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// hash writes a comment in the syntax of most shells.
func hash(line string) string { return "# " + line }

// plain reports whether a value between double quotes means itself in every dialect, and stays
// whole when an unquoted eval splits words and expands file name patterns: no blank, pattern, quote
// or expansion, and no byte beyond ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if !plainByte(s[i]) {
			return false
		}
	}
	return true
}

func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_./:@+,=-", c) >= 0
}

// bare reports whether a word needs no quotes as an argument in any dialect: zsh expands a leading
// =, and powershell reads , and @.
func bare(s string) bool {
	return s != "" && plain(s) && !strings.ContainsAny(s, "@+,=")
}

// octal writes every byte for which keep returns false as \ooo.
func octal(s string, keep func(i int, c byte) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if keep(i, s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, `\%03o`, s[i])
		}
	}
	return b.String()
}

const (
	refuseNUL     = "it holds a NUL byte, which no environment can"
	refuseNotUTF8 = "it is not valid UTF-8"
)

func refuseOnlyNUL(value string) string {
	if strings.ContainsRune(value, 0) {
		return refuseNUL
	}
	return ""
}

func refuseNonText(value string) string {
	if !utf8.ValidString(value) {
		return refuseNotUTF8
	}
	return refuseOnlyNUL(value)
}

// words quotes each word of a command. ok is false if one of them cannot be shown on one line of a
// comment.
func words(usage Usage, quote func(string) (string, bool)) (line string, ok bool) {
	quoted := make([]string, len(usage))
	for i, w := range usage {
		if quoted[i], ok = quote(w); !ok {
			return "", false
		}
	}
	return strings.Join(quoted, " "), true
}

// quoted returns a function that quotes words unless they can be bare.
func quoted(quote func(string) string) func(string) (string, bool) {
	return func(w string) (string, bool) {
		if bare(w) {
			return w, true
		}
		return quote(w), true
	}
}
