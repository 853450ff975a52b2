package writer

import (
	"path"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// written is a rule or a policy that a line of a file adds or sets.
type written struct {
	line    int    // from 1
	tool    string // "iptables"; "" if the script has it in a variable
	saved   bool   // the line is in the format of iptables-save
	table   string
	chain   string
	policy  string   // "policy DROP"; "" for a rule
	options []string // of a rule, normalized
}

// lineOf returns the last line of a file that adds a rule or sets a policy, from 1; 0 if none
// does. The last line is the one that ran last.
func lineOf(name string, all []written, p netfilter.Place) int {
	want, found := ruleOf(p), 0
	for _, w := range all {
		if w.saved && !rulesFor(name, p.Tool) || w.tool != "" && w.tool != string(p.Tool) || w.table != p.Table || !fits(w.chain, p.Chain) {
			continue
		}
		if p.Number == 0 && w.policy == p.Text || p.Number != 0 && w.policy == "" && sameOptions(w.options, want) {
			found = w.line
		}
	}
	return found
}

// rulesIn returns the rules and policies that a file adds and sets.
func rulesIn(name string, lines []string) []written {
	var all []written
	table := ""
	for i := 0; i < len(lines); i++ {
		at, line := i+1, strings.TrimSpace(lines[i])
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(line, `\`) + " " + strings.TrimSpace(lines[i])
		}
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '*' && !strings.Contains(line, " "):
			table = line[1:]
			continue
		case line == "COMMIT":
			table = ""
			continue
		case line[0] == ':' && table != "":
			if fields := strings.Fields(line[1:]); len(fields) > 1 {
				all = append(all, written{line: at, saved: true, table: table, chain: fields[0], policy: "policy " + fields[1]})
			}
			continue
		}
		for _, c := range commands(line) {
			if c.saved && table == "" && !ufwFile(name) {
				continue
			}
			if c.saved && table != "" {
				c.table = table
			}
			if w, ok := c.written(); ok {
				w.line = at
				all = append(all, w)
			}
		}
	}
	return all
}

// rulesFor reports whether a file of saved rules may be for that tool, judging by its name.
func rulesFor(name string, tool netfilter.Tool) bool {
	six := strings.Contains(name, "6")
	switch tool {
	case netfilter.IPTables:
		return !six
	case netfilter.IP6Tables:
		return six || !strings.HasPrefix(name, "/etc/")
	}
	return strings.Contains(name, "ebt")
}

// ufwFile reports whether a file has rules without the name of their table, which ufw adds.
func ufwFile(name string) bool { return strings.HasPrefix(name, "/etc/ufw/") }

// command is one call of a tool in a script, or a line of saved rules.
type command struct {
	tool  string // "iptables"; "" if the script has it in a variable
	saved bool   // the line is in the format of iptables-save
	table string
	rest  []string // the options
}

// commands finds the calls of tools in a line, also in the argument of "sh -c".
func commands(line string) []command {
	if strings.HasPrefix(line, "-A ") || strings.HasPrefix(line, "-I ") {
		return []command{{saved: true, table: "filter", rest: split(line)[0]}}
	}
	var all []command
	for _, words := range split(line) {
		for i, w := range words {
			if strings.Contains(w, " ") && strings.Contains(w, "tables") {
				all = append(all, commands(w)...)
			}
			base := path.Base(w)
			variable := strings.HasPrefix(w, "$")
			if !variable && !slices.ContainsFunc([]string{"iptables", "ip6tables", "ebtables"}, func(t string) bool {
				return base == t || strings.HasPrefix(base, t+"-") && !strings.Contains(base, "save") && !strings.Contains(base, "restore")
			}) {
				continue
			}
			c := command{tool: strings.TrimSuffix(strings.TrimSuffix(base, "-nft"), "-legacy"), table: "filter", rest: words[i+1:]}
			if variable {
				c.tool = ""
			}
			all = append(all, c)
			break
		}
	}
	return all
}

// split splits a line into commands and words, roughly as a shell does: it removes quotes, and
// ; & | end a command.
func split(line string) [][]string {
	var all [][]string
	var words []string
	var word strings.Builder
	quote, has := byte(0), false
	endWord := func() {
		if has {
			words = append(words, word.String())
		}
		word.Reset()
		has = false
	}
	endCommand := func() {
		endWord()
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, has = c, true
		case c == ' ' || c == '\t':
			endWord()
		case c == ';' || c == '&' || c == '|':
			endCommand()
		case c == '#' && !has:
			i = len(line)
		default:
			word.WriteByte(c)
			has = true
		}
	}
	endCommand()
	if all == nil {
		all = [][]string{{}}
	}
	return all
}

// written returns the rule that a command adds, or the policy that it sets; ok is false if it does neither.
func (c command) written() (w written, ok bool) {
	w = written{tool: c.tool, saved: c.saved, table: c.table}
	var options []string
	verb := ""
	for i := 0; i < len(c.rest); i++ {
		next := func() string {
			if i++; i < len(c.rest) {
				return c.rest[i]
			}
			return ""
		}
		switch c.rest[i] {
		case "-t", "--table":
			w.table = next()
		case "-w", "--wait":
			if i+1 < len(c.rest) && strings.Trim(c.rest[i+1], "0123456789") == "" {
				i++
			}
		case "-A", "--append", "-I", "--insert", "-P", "--policy":
			verb, w.chain = strings.ToUpper(strings.TrimLeft(c.rest[i], "-")[:1]), next()
			if verb == "I" && i+1 < len(c.rest) && strings.Trim(c.rest[i+1], "0123456789") == "" {
				i++
			}
		default:
			options = append(options, c.rest[i])
		}
	}
	switch {
	case verb == "P" && len(options) == 1:
		w.policy = "policy " + options[0]
	case verb == "A" || verb == "I":
		w.options = normalize(options)
	default:
		return w, false
	}
	return w, true
}

// ruleOf returns the normalized options of a rule.
func ruleOf(p netfilter.Place) []string {
	return normalize(split(p.Text)[0])
}

// shortNames maps options to the names that iptables-save and ebtables-save print.
var shortNames = map[string]string{
	"--protocol": "-p", "--proto": "-p", "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--in-interface": "-i", "--out-interface": "-o",
	"--jump": "-j", "--goto": "-g", "--match": "-m", "--source-port": "--sport", "--destination-port": "--dport", "--source-ports": "--sports",
	"--destination-ports": "--dports", "--state": "--ctstate", "--arp-opcode": "--arp-op", "--ip-source": "--ip-src", "--ip-destination": "--ip-dst",
	"--ip-protocol": "--ip-proto", "--set-mark": "--set-xmark",
}

// normalize groups the words of a rule into options with their arguments, in the notation that
// iptables-save prints, and sorts them.
func normalize(words []string) []string {
	var all []string
	not := ""
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "!":
			not = "! "
		case w == "--syn":
			all = append(all, not+"--tcp-flags FIN,SYN,RST,ACK SYN")
			not = ""
		case strings.HasPrefix(w, "-") && len(w) > 1 && (w[1] < '0' || w[1] > '9'):
			if short := shortNames[w]; short != "" {
				w = short
			}
			all = append(all, not+w)
			not = ""
		case len(all) > 0:
			if not != "" { // in ebtables the "!" follows the option
				all[len(all)-1] = not + all[len(all)-1]
				not = ""
			}
			all[len(all)-1] += " " + value(w)
		}
	}
	all = slices.DeleteFunc(all, func(o string) bool {
		return slices.Contains([]string{"-m tcp", "-m udp", "-m icmp", "-m state", "-m conntrack", "-m comment", "-m icmp6"}, o) || strings.HasPrefix(o, "--reject-with icmp-port-unreachable") || strings.HasPrefix(o, "--comment ")
	})
	slices.Sort(all)
	return all
}

// value normalizes an argument: it sorts lists, and removes the prefix length of a single address.
func value(w string) string {
	w = strings.TrimSuffix(strings.TrimSuffix(w, "/32"), "/128")
	if strings.Contains(w, ",") {
		parts := strings.Split(w, ",")
		slices.Sort(parts)
		w = strings.Join(parts, ",")
	}
	return w
}

// sameOptions reports whether two rules are equal. A shell variable in the first matches any text.
func sameOptions(written, want []string) bool {
	if len(written) != len(want) {
		return false
	}
	rest := slices.Clone(want)
	for _, w := range written {
		i := slices.IndexFunc(rest, func(r string) bool { return fits(w, r) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}

// fits reports whether a word of a script can become text when its variables ("$x", "${x}") are
// expanded to anything.
func fits(word, text string) bool {
	before, after, variable := strings.Cut(word, "$")
	if !variable {
		return word == text
	}
	if !strings.HasPrefix(text, before) {
		return false
	}
	end := strings.IndexFunc(after, func(r rune) bool {
		return !strings.ContainsRune("{}_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r)
	})
	if end < 0 {
		return true
	}
	rest := text[len(before):]
	for i := 0; i <= len(rest); i++ {
		if fits(after[end:], rest[i:]) {
			return true
		}
	}
	return false
}
