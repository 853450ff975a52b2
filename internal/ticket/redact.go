package ticket

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Private is what the laptop's owner is called.
type Private struct {
	// Users are account names, Hosts the laptop's names, Home the home directory.
	Users, Hosts []string
	Home         string
}

// Replaced counts one kind of thing that was taken out.
type Replaced struct {
	What  string // "public addresses"
	Mark  string // "<public-N>"; the same N is the same thing
	Count int    // different things, or occurrences where the mark has no N
}

func (r Replaced) by() string {
	if r.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, by %s", r.Count, r.Mark)
}

// shared are account names that say nothing about anybody.
const shared = "root docker ubuntu debian core rancher tc centos ec2-user vagrant admin user nobody daemon"

var (
	pem         = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]+-----(?:.*?-----END [A-Z0-9 ]+-----|.*)`)
	credentials = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'<>]*@`)
	bearer      = regexp.MustCompile(`(?i)\b(bearer|basic|negotiate)[ \t]+[A-Za-z0-9+/=._~-]{6,}`)
	secret      = regexp.MustCompile(`(?i)((?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|authorization|cookie)["']?[ \t]*[:=][ \t]*["']?)([^\s"',;<]+)`)
	homes       = regexp.MustCompile(`((?:/Users|/home|\\Users)[/\\]+)([^/\\\s:"',;<>]+)`)
	mac         = regexp.MustCompile(`\b[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}\b`)
	ipv6        = regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*`)
	ipv4        = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?\b`)
	// netstat leaves out the zeros at the end of a network's address.
	shortNet = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){0,2}/\d{1,2}\b`)
)

// Redact takes secrets, user names, public and hardware addresses and the laptop's
// name out of a text, and whatever would act on a terminal. The same thing gets
// the same mark everywhere, so that the text still makes sense.
func Redact(text string, p Private) (string, []Replaced) {
	r := &redactor{marks: map[string]map[string]string{}}
	text = printable(text)
	text = r.each(pem, text, "keys and certificates", "<removed>", func(string) bool { return true })
	text = credentials.ReplaceAllStringFunc(text, func(s string) string {
		m := credentials.FindStringSubmatch(s)
		r.secrets++
		return m[1] + "<secret>@"
	})
	text = bearer.ReplaceAllStringFunc(text, func(s string) string {
		r.secrets++
		return "<secret>"
	})
	text = secret.ReplaceAllStringFunc(text, func(s string) string {
		m := secret.FindStringSubmatch(s)
		r.secrets++
		return m[1] + "<secret>"
	})
	users := slices.DeleteFunc(slices.Clone(p.Users), func(u string) bool {
		return u == "" || slices.Contains(strings.Fields(shared), strings.ToLower(u))
	})
	if home := strings.TrimRight(p.Home, `/\`); len(home) > 1 {
		text = strings.ReplaceAll(text, home+"/", "~/")
	}
	text = homes.ReplaceAllStringFunc(text, func(s string) string {
		m := homes.FindStringSubmatch(s)
		if slices.Contains(strings.Fields(shared), strings.ToLower(m[2])) || m[2] == "Shared" {
			return s
		}
		return m[1] + r.mark("user", m[2])
	})
	for _, u := range users {
		if len(u) > 1 { // a letter is a word of other sentences; paths are done already
			text = r.words(text, "user", u)
		}
	}
	hosts := slices.Clone(p.Hosts)
	for _, h := range p.Hosts {
		if short, _, ok := strings.Cut(h, "."); ok {
			hosts = append(hosts, short)
		}
	}
	for _, h := range hosts {
		if len(h) > 1 && !strings.EqualFold(h, "localhost") && !slices.Contains(strings.Fields(shared), strings.ToLower(h)) {
			text = r.words(text, "laptop", h)
		}
	}
	text = r.each(mac, text, "mac", "", foreignMAC)
	text = r.each(ipv6, text, "public", "", publicIP)
	text = r.each(ipv4, text, "public", "", publicIP)
	text = r.each(shortNet, text, "public", "", publicNet)
	return text, []Replaced{
		{"secrets", "<secret>", r.secrets},
		{"keys and certificates", "<removed>", r.removed},
		{"user names", "<user-N>", len(r.marks["user"])},
		{"names of the laptop", "<laptop-N>", len(r.marks["laptop"])},
		{"public addresses", "<public-N>", len(r.marks["public"])},
		{"hardware addresses", "<mac-N>", len(r.marks["mac"])},
	}
}

type redactor struct {
	marks            map[string]map[string]string // kind → thing → mark
	secrets, removed int
}

func (r *redactor) mark(kind, thing string) string {
	if r.marks[kind] == nil {
		r.marks[kind] = map[string]string{}
	}
	thing = strings.ToLower(thing)
	m, ok := r.marks[kind][thing]
	if !ok {
		m = fmt.Sprintf("<%s-%d>", kind, len(r.marks[kind])+1)
		r.marks[kind][thing] = m
	}
	return m
}

// each replaces the matches that are meant: by fixed, or by their own mark, before
// which the prefix length of a network is cut off and kept.
func (r *redactor) each(re *regexp.Regexp, text, kind, fixed string, meant func(string) bool) string {
	return re.ReplaceAllStringFunc(text, func(s string) string {
		if !meant(s) {
			return s
		}
		if fixed != "" {
			r.removed++
			return fixed
		}
		addr, length, network := strings.Cut(s, "/")
		m := r.mark(kind, addr)
		if network {
			m += "/" + length
		}
		return m
	})
}

// words replaces a name where it stands as a word, in any case.
func (r *redactor) words(text, kind, name string) string {
	re := regexp.MustCompile(`(?i)(^|[^\pL\pN_<-])(` + regexp.QuoteMeta(name) + `)($|[^\pL\pN_])`)
	for {
		// What ends one match may begin the next, so again until none is left.
		next := re.ReplaceAllStringFunc(text, func(s string) string {
			m := re.FindStringSubmatch(s)
			return m[1] + r.mark(kind, name) + m[3]
		})
		if next == text {
			return text
		}
		text = next
	}
}

// foreignMAC is a hardware address but for VirtualBox's own, which it makes up.
func foreignMAC(s string) bool {
	s = strings.ToLower(s)
	return !strings.HasPrefix(s, "08:00:27:") && !strings.HasPrefix(s, "8:0:27:") && !strings.HasPrefix(s, "0a:00:27:") && !strings.HasPrefix(s, "a:0:27:") &&
		s != "ff:ff:ff:ff:ff:ff" && s != "00:00:00:00:00:00"
}

func publicIP(s string) bool {
	addr, length, network := strings.Cut(s, "/")
	if network && len(length) == 1 && length < "8" {
		return false // 0.0.0.0/1 and 128.0.0.0/1: how a VPN takes everything
	}
	ip, err := netip.ParseAddr(strings.TrimRight(addr, "."))
	if err != nil {
		ip, err = netip.ParseAddr(strings.TrimRight(addr, ":."))
	}
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	carrier := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, which VPNs use too
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !carrier.Contains(ip) && !(ip.Is4() && (ip.As4()[0] >= 240 || ip.As4()[0] == 0))
}

func publicNet(s string) bool {
	addr, length, _ := strings.Cut(s, "/")
	for strings.Count(addr, ".") < 3 {
		addr += ".0"
	}
	// A short number before a slash is more often a date or a fraction.
	return strings.Contains(s, ".") && publicIP(addr+"/"+length)
}

// printable replaces what a terminal would act on, or not show.
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
