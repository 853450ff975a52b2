package shell

import (
	"encoding/json"
	"fmt"
	"strings"
)

// nu is the grammar of Nushell, which cannot evaluate output. The lines are for a file to source;
// the hint pipes the JSON dialect into load-env instead. Between double quotes only the quote and
// the backslash are special (Nushell book, "Working with Strings").
func nu() grammar {
	return grammar{
		newline: "\n",
		refuse:  refuseNonText,
		set: func(name, value string) string {
			return "$env." + name + " = " + nuString(value) + ";"
		},
		unset: func(name string) string { return "hide-env --ignore-errors " + name + ";" },
		eval: func(usage Usage) (string, bool) {
			line, ok := words(append(usage[:len(usage):len(usage)], "--shell", "json"), func(w string) (string, bool) {
				if bare(w) {
					return w, true
				}
				return nuString(w), refuseNonText(w) == ""
			})
			// Nushell runs a quoted word only with ^ before it; otherwise it is a string.
			if !bare(usage[0]) {
				line = "^" + line
			}
			return line + " | from json | load-env", ok
		},
		evalWith: "--shell json | from json | load-env",
		comment:  hash,
	}
}

func nuString(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// jsonObject is one JSON object on one line, in the order of the variables; null removes a
// variable. JSON has no comments, so there is no hint.
func jsonObject() grammar {
	return grammar{
		open: "{", between: ",", close: "}\n",
		refuse: refuseNonText,
		set:    func(name, value string) string { return jsonString(name) + ":" + jsonString(value) },
		unset:  func(name string) string { return jsonString(name) + ":null" },
	}
}

func jsonString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
