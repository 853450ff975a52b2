package shell

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// powerShell is the grammar of PowerShell. Between single quotes only the quote itself is special
// (about_Quoting_Rules). Everything beyond printable ASCII is written as UTF-16 code units, because
// PowerShell decodes a program's output with the console's code page, reads four typographic quotes
// as the ASCII one, and passes one line at a time to Invoke-Expression.
func powerShell() grammar {
	return grammar{
		newline: "\n",
		refuse: func(value string) string {
			if value == "" {
				return "it is empty, and assigning the empty string removes the variable"
			}
			return refuseNonText(value)
		},
		set: func(name, value string) string {
			return "$Env:" + name + " = " + powerShellExpr(value) + ";"
		},
		unset: func(name string) string { return `Remove-Item Env:\` + name + " -ErrorAction SilentlyContinue;" },
		eval: func(usage Usage) (string, bool) {
			line, ok := words(usage, powerShellHintWord)
			return "& " + line + " | Invoke-Expression", ok
		},
		evalWith: "Invoke-Expression",
		comment:  hash,
	}
}

func powerShellExpr(value string) string {
	if plain(strings.ReplaceAll(value, `\`, "")) {
		return `"` + value + `"`
	}
	var parts []string
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 || len(parts) == 0 {
			// A string must come first: [char] + [char] would add numbers.
			parts = append(parts, "'"+strings.ReplaceAll(run.String(), "'", "''")+"'")
			run.Reset()
		}
	}
	for _, r := range value {
		if ' ' <= r && r < 0x7f {
			run.WriteRune(r)
			continue
		}
		flush()
		for _, u := range utf16.Encode([]rune{r}) {
			parts = append(parts, fmt.Sprintf("[char]0x%04X", u))
		}
	}
	if run.Len() > 0 {
		flush()
	}
	return strings.Join(parts, " + ")
}

func powerShellHintWord(word string) (string, bool) {
	if bare(word) {
		return word, true
	}
	expr := powerShellExpr(word)
	if strings.Contains(expr, " + ") {
		expr = "(" + expr + ")"
	}
	return expr, refuseNonText(word) == ""
}

// cmd is the grammar of cmd.exe, for the command in the hint. FOR inserts the line after percent
// signs, carets and ampersands have been interpreted, so they are ordinary characters there, and
// SET takes what is between its first and its last quote. Bytes beyond ASCII arrive as the
// console's code page reads them; cmd has no escape for them.
func cmd() grammar {
	return grammar{
		newline: "\n",
		refuse: func(value string) string {
			switch {
			case value == "":
				return "it is empty, and SET without a value removes the variable"
			case strings.Contains(value, `"`):
				return "it holds a double quote, which ends the value"
			case strings.IndexFunc(value, func(r rune) bool { return r != 0 && r < ' ' || r == 0x7f }) >= 0:
				return "it holds a control character, for which cmd has no escape"
			}
			return refuseNonText(value)
		},
		set: func(name, value string) string {
			if plain(strings.ReplaceAll(value, `\`, "")) {
				return "SET " + name + "=" + value
			}
			return `SET "` + name + "=" + value + `"`
		},
		unset: func(name string) string { return "SET " + name + "=" },
		eval: func(usage Usage) (string, bool) {
			line, ok := words(usage, func(w string) (string, bool) {
				if bare(strings.ReplaceAll(w, `\`, "/")) {
					return w, true
				}
				return `"` + w + `"`, plain(strings.NewReplacer(`\`, "", " ", "").Replace(w))
			})
			return "@FOR /f \"tokens=*\" %i IN ('" + line + "') DO @%i", ok
		},
		evalWith: "FOR",
		comment: func(line string) string {
			if strings.HasPrefix(line, "@") {
				line = "\t" + line // as docker-machine prints it
			}
			return "REM " + line
		},
	}
}
