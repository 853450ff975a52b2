package shell

import "strings"

// emacs is the grammar of Emacs Lisp. Octal escapes in an ASCII string make a unibyte string, of
// which setenv passes on the bytes unchanged, whatever coding system decoded the output (GNU Emacs
// Lisp Reference, "Non-ASCII Characters in Strings").
func emacs() grammar {
	return grammar{
		newline: "\n",
		refuse:  refuseOnlyNUL,
		set: func(name, value string) string {
			return "(setenv \"" + name + "\" " + emacsString(value) + ")"
		},
		unset: func(name string) string { return "(setenv \"" + name + "\" nil)" },
		eval: func(usage Usage) (string, bool) {
			// Emacs runs the command through sh, so the dialect must be named.
			line, ok := words(append(usage[:len(usage):len(usage)], "--shell", "emacs"), posixHintWord)
			return "(with-temp-buffer (shell-command " + emacsString(line) + " (current-buffer)) (eval-buffer))", ok
		},
		evalWith: "eval-buffer",
		comment:  func(line string) string { return ";; " + line },
	}
}

func emacsString(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			b.WriteString(octal(value[i:i+1], func(int, byte) bool { return false }))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
