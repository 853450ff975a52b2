package shell

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// hostile values, each of them once the death of somebody's quoting.
func hostile() []string {
	return []string{
		"/Users/me/.docker/machine/machines/default",
		"", " ", "  ", " lead", "trail ", "two  blanks", "a\tb", "\t", "\n", "a\nb", "a\n", "a\n\n", "\na", "a\r\nb", "a\rb", "\r",
		"'", `"`, "`", "''", `""`, `'"'"'`, `it's`, `say "hi"`,
		"$", "$HOME", "${HOME}", "$(touch PWNED)", "`touch PWNED`", "$((1+1))", "$[1+1]", "(touch PWNED)", "(id)", "<(touch PWNED)",
		";touch PWNED", "; touch PWNED;", "&touch PWNED", "& touch PWNED &", "|touch PWNED", "a\ntouch PWNED\n", "&&touch PWNED", "||touch PWNED", ">PWNED", "> PWNED", "2>PWNED", "<bait",
		`";touch PWNED;"`, `';touch PWNED;'`, `")(touch PWNED)("`, `")]; touch PWNED; [("`, "'; (touch PWNED) '",
		"!", "!!", "!$", "!touch", "a!b", "hi!", "^a^b", "^", "~", "~root", "a:~b", "~/x", "#", "a #b", "# touch", "%", "%s", "%d%n", "%%", "%PATH%", "100%",
		"*", "?", "b*", "ba?t", "[a-z]*", "[b]ait", "{a,b}", "{1..3}", "bai{t,x}", "**", "***", "@(bait)", "+(b)", "!(x)", "(b)*", "*(.)", "=ls", "a=b", "-n", "-rf", "--", "-", "-e x",
		`\`, `\\`, `a\`, `\n`, `\t`, `\040`, `\x41`, `a\ b`, `\'`, `\"`, `C:\Users\me`, `C:\Program Files\x`, `\$HOME`, `\!`,
		"é", "Zoë's Mac", "日本語", "🐳", "‘curly’", "“curly”", "a\u00a0b", "\u2028", "a\u200bb", "é\u0301", "Ł\n", "naïve $x",
		"\x01", "\x1b[31m", "\x7f", "\b", "a\x00"[:1] + "\x02", "\xff", "a\xffb", "\xc3", "\xc3(", "\xed\xa0\x80",
		"a:b", "::", ":a:", ".", "a,b", "a;b", "a&b", "a|b", "<>", "()", "[]", "{}", "]", "}", "{", "[", ")", "(",
		strings.Repeat("a b'\"$ ", 60), strings.Repeat("/déjà vu", 100), "fi", "done", "end", "nil", "null", "true", "if", "then",
	}
}

// generated makes n values, the same for the same seed: pieces of hostile ones
// with ordinary text between, shuffled.
func generated(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 2))
	atoms := append(hostile(), "/", "/", "a", "b", "bait", "machines", "default", " ", "  ", "'", `"`, "$", "`", "\\", "!", "*", "\n", "touch PWNED", ";", "&", "|")
	values := make([]string, 0, n)
	for len(values) < n {
		var b strings.Builder
		if r.IntN(2) == 0 {
			b.WriteString("/home/")
		}
		for range 1 + r.IntN(6) {
			b.WriteString(atoms[r.IntN(len(atoms)-len(atoms)/20)])
			b.WriteString(atoms[len(atoms)-1-r.IntN(21)])
		}
		v := b.String()
		if len(v) > 1500 {
			continue
		}
		if r.IntN(3) == 0 { // any bytes at all but NUL
			raw := []byte(v)
			for range 1 + r.IntN(4) {
				i := r.IntN(len(raw))
				raw[i] = byte(1 + r.IntN(255))
			}
			v = string(raw)
		}
		values = append(values, v)
	}
	return values
}

// names of variables: fish treats those that end in PATH as lists.
func nameOf(i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("DVH%d_CERT_PATH", i)
	}
	return fmt.Sprintf("DVH%d", i)
}
