package ticket

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Private has the names that identify the laptop's owner.
type Private struct {
	// Users are account names, Hosts the laptop's names, Home the home directory.
	Users, Hosts []string
	Home         string
}

// Replaced counts the replacements of one kind.
type Replaced struct {
	What  string // "public addresses"
	Mark  string // "<public-N>"; the same N means the same thing
	Count int    // different things, or occurrences if the mark has no N
}

func (r Replaced) by() string {
	if r.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, by %s", r.Count, r.Mark)
}

// genericAccounts are account names that identify no person.
const genericAccounts = "root docker ubuntu debian core rancher tc centos ec2-user vagrant admin user nobody daemon"

func isGeneric(name string) bool {
	return slices.Contains(strings.Fields(genericAccounts), strings.ToLower(name))
}

var (
	// A key ends with its last line, or if it was cut off, before the first character that cannot be
	// in one. It may be part of JSON or of a URL. The second form is the Base64 of such a text.
	pem = expr(`-----BEGIN[A-Z0-9 %+]+-----(?:[A-Za-z0-9+/=\s\\:,.%\x{FFFD}-]*?-----END[A-Z0-9 %+]+-----|[A-Za-z0-9+/=\s\\:,.%\x{FFFD}-]*)|LS0tLS1CRUdJTi[A-Za-z0-9+/=\\_-]*`)
	// A password may contain a slash or an @.
	credentials = expr(`([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/\s"'<>@]*:[^\s"'<>]*|[^/\s"'<>]*)@`)
	// Proxies are also written without a scheme. Not meant: image@sha256:….
	bareLogin = expr(`[^\s"'<>/@:=,;\\]+:[^\s"'<>]*[^\s"'<>@/]@(sha256:|[A-Za-z0-9\[])`)
	bearer    = expr(`(?i)\b(bearer|basic|negotiate)[ \t]+[A-Za-z0-9+/=._~-]{6,}`)
	secret    = expr(`(?i)((?:pass(?:word|wd|phrase)?|secret|token|(?:api|access|private)[-_]?key|authorization|cookie)[\w-]*\\*["']?[ \t]*[:=][ \t]*)(\\*"(?:[^"\\]|\\+[^"\\])*\\*"|'[^']*'|[^\s"',;\\]+)`)
	argument  = expr(`(?i)(--?(?:pass(?:word|wd|phrase)?|secret|token)[ \t]+)([^\s"'-][^\s"']*)`)
	homes     = expr(`(?i)((?:/Users|/home|\\Users)[/\\]+)([^/\\\s:"',;<>]+)`)
)

// Redact removes secrets, user names, public and hardware addresses and the laptop's name from a
// text, and whatever would affect a terminal. The same thing gets the same mark everywhere, so that
// the text still makes sense.
func Redact(text string, p Private) (string, []Replaced) {
	r := &redactor{text: printable(text), marks: map[string]map[string]string{}}
	r.replace(pem, func([]string) string { r.removed++; return mark("removed") })
	r.replace(credentials, func(m []string) string { return m[1] + r.secret() + "@" })
	r.replace(bareLogin, func(m []string) string {
		if m[1] == "sha256:" {
			return m[0]
		}
		return r.secret() + m[0][strings.LastIndexByte(m[0], '@'):]
	})
	r.replace(bearer, func([]string) string { return r.secret() })
	r.replace(secret, func(m []string) string {
		switch strings.Trim(m[2], `\"'}])`) {
		case "", "true", "false", "null":
			return m[0]
		}
		quote := m[2][:len(m[2])-len(strings.TrimLeft(m[2], `\"'`))]
		return m[1] + quote + r.secret() + quote
	})
	r.replace(argument, func(m []string) string { return m[1] + r.secret() })
	r.names(p)
	r.addresses()
	return finish(r.text), []Replaced{
		{"secrets", "<secret>", r.secrets},
		{"keys and certificates", "<removed>", r.removed},
		{"user names", "<user-N>", len(r.marks["user"])},
		{"names of the laptop", "<laptop-N>", len(r.marks["laptop"])},
		{"public addresses", "<public-N>", len(r.marks["public"])},
		{"hardware addresses", "<mac-N>", len(r.marks["mac"])},
	}
}

// names replaces the names of people and of the laptop.
func (r *redactor) names(p Private) {
	if home := strings.TrimRight(p.Home, `/\`); len(home) > 1 {
		r.text = strings.ReplaceAll(r.text, home+"/", "~/")
	}
	r.replace(homes, func(m []string) string {
		if isGeneric(m[2]) || m[2] == "Shared" {
			return m[0]
		}
		return m[1] + r.numbered("user", strings.ToLower(m[2]))
	})
	hosts := slices.Clone(p.Hosts)
	for _, h := range p.Hosts {
		if short, _, ok := strings.Cut(h, "."); ok {
			hosts = append(hosts, short)
		}
	}
	for _, h := range longestFirst(hosts) {
		if !strings.EqualFold(h, "localhost") {
			r.words("laptop", h) // it may contain its owner's name
		}
	}
	for _, u := range longestFirst(p.Users) {
		r.words("user", u) // paths were replaced above
	}
}

// longestFirst sorts names by length, because one may be the beginning of another. It drops generic
// names, and single letters, which are ordinary words.
func longestFirst(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return len(n) < 2 || isGeneric(n) })
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	return names
}

// words replaces a name where it is a whole word, in any case, also after a character that JSON or
// a URL escapes.
func (r *redactor) words(kind, name string) {
	re := expr(`(?i)(^|[^\pL\pN]|\\[nrt]|%[0-9a-f]{2})(` + regexp.QuoteMeta(name) + `)($|[^\pL\pN])`)
	for {
		// The end of one match may be the beginning of the next, so repeat until none is left.
		before := r.text
		r.replace(re, func(m []string) string { return m[1] + r.numbered(kind, strings.ToLower(name)) + m[3] })
		if r.text == before {
			return
		}
	}
}

// printable replaces characters that a terminal would act on, or not show.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' {
			return c
		}
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029' {
			return unicode.ReplacementChar
		}
		return c
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
