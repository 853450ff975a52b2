package saved

import (
	"fmt"
	"slices"
	"strings"
)

// words splits a rule at spaces. A word in double quotes may contain spaces, and backslashes that
// escape the next character.
func words(line string) ([]string, error) {
	var all []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] != '"' {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			all, line = append(all, line[:end]), line[end:]
			continue
		}
		var word strings.Builder
		i := 1
		for ; i < len(line) && line[i] != '"'; i++ {
			if line[i] == '\\' && i+1 < len(line) {
				i++
			}
			word.WriteByte(line[i])
		}
		if i >= len(line) {
			return nil, fmt.Errorf("a quotation is not terminated: %s", shorten(line))
		}
		all, line = append(all, word.String()), line[i+1:]
	}
	return all, nil
}

// shorten shortens text for an error message.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// option is an option of a rule with its arguments.
type option struct {
	name string
	not  bool
	args []string
}

// isOption reports whether a word is an option such as "--dport" or "-j", and not a number such as "-1".
func isOption(w string) bool {
	return len(w) > 1 && w[0] == '-' && (w[1] < '0' || w[1] > '9')
}

// freeText are options whose argument may look like an option or be "!".
var freeText = []string{"--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string", "--name", "--hashlimit-name", "--ulog-prefix"}

// options groups words into options with arguments. A "!" that negates an option comes before it
// (iptables) or before its argument (ebtables).
func options(words []string) ([]option, error) {
	var all []option
	not := false
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case isOption(w):
			all = append(all, option{name: w, not: not})
			not = false
			if slices.Contains(freeText, w) && i+1 < len(words) {
				i++
				all[len(all)-1].args = []string{words[i]}
			}
		case w == "!" && i+1 < len(words) && isOption(words[i+1]):
			not = true
		case len(all) == 0:
			return nil, fmt.Errorf("%q comes before the first option", shorten(w))
		case w == "!":
			all[len(all)-1].not = true
		default:
			last := &all[len(all)-1]
			last.args = append(last.args, w)
		}
	}
	return all, nil
}

// arg returns the option's only argument.
func (o option) arg() (string, error) {
	if len(o.args) != 1 {
		return "", fmt.Errorf("%s takes one argument, not %d", o.name, len(o.args))
	}
	return o.args[0], nil
}
