// Package explain knows what docker, docker-machine, ssh, VBoxManage, compose,
// curl and minikube mean by their error messages on a laptop whose dockerd is in
// a VM. It is text in, entries out; what it does not know it does not guess.
package explain

import (
	"strings"
	"unicode"
)

// Entry is a known message.
type Entry struct {
	// ID is stable: the tool and the case, "docker.cert-names".
	ID string `json:"id"`
	// Means is what the message means on such a laptop.
	Means string `json:"means"`
	// Causes, likeliest first.
	Causes []string `json:"causes"`
	// Run is what to run or do, mildest first. "default" stands for the machine.
	Run []string `json:"run"`
	// Code is the finding whose page has more; empty where there is none.
	Code string `json:"code"`
	// Source is where the message's wording, or what it means, is taken from.
	Source string `json:"source"`

	// match are patterns, of which one must fit: parts that follow one another
	// in the text, where "…" stands for up to near and "……" for up to far bytes.
	match []string
	// not are texts that show that something else is meant.
	not []string
	// general entries are tried only after all others: they fit around a message
	// that says more.
	general bool
}

const (
	near = 300
	far  = 4000
	// most of a text that is looked at, from its end: what went wrong is said last.
	most = 256 << 10
)

// All are the known messages, in the order in which they are tried.
func All() []Entry {
	var special, general []Entry
	for _, group := range [][]Entry{
		composeEntries(), machineEntries(), certEntries(), vboxEntries(), vboxNetEntries(),
		minikubeEntries(), sshEntries(), sshPathEntries(), proxyEntries(), registryEntries(), dockerEntries(), curlEntries(),
	} {
		for _, e := range group {
			if e.general {
				general = append(general, e)
			} else {
				special = append(special, e)
			}
		}
	}
	return append(special, general...)
}

// Find is the entry that explains a text; ok is false if none does.
func Find(text string) (e Entry, ok bool) {
	text = normal(text)
	for _, e := range All() {
		if e.fits(text) {
			return e, true
		}
	}
	return Entry{}, false
}

func (e Entry) fits(text string) bool {
	for _, n := range e.not {
		if strings.Contains(text, n) {
			return false
		}
	}
	for _, p := range e.match {
		if fits(text, p) {
			return true
		}
	}
	return false
}

// fits says whether a normalized text has the parts of a pattern, in order and
// close enough.
func fits(text, pattern string) bool {
	gap, rest, found := near, pattern, false
	if i := strings.Index(pattern, "…"); i >= 0 {
		found = true
		pattern, rest = pattern[:i], pattern[i+len("…"):]
		if after, ok := strings.CutPrefix(rest, "…"); ok {
			gap, rest = far, after
		}
	}
	for from := 0; ; {
		i := strings.Index(text[from:], pattern)
		if i < 0 {
			return false
		}
		if !found {
			return true
		}
		end := from + i + len(pattern)
		if fits(text[end:min(len(text), end+gap+len(rest))], rest) {
			return true
		}
		from += i + 1
	}
}

// normal makes texts comparable: lower case, one space between words, plain
// quotes, no colours.
func normal(text string) string {
	if len(text) > most {
		text = text[len(text)-most:]
	}
	var b strings.Builder
	space := true
	escape := 0 // 1 after ESC, 2 inside ESC [ …
	for _, r := range text {
		switch {
		case r == 0x1b:
			escape = 1
			continue
		case escape == 1 && r == '[':
			escape = 2
			continue
		case escape == 2:
			if r >= '@' && r <= '~' {
				escape = 0
			}
			continue
		}
		escape = 0
		switch r {
		case '‘', '’', '`', '´':
			r = '\''
		case '“', '”':
			r = '"'
		}
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		b.WriteRune(unicode.ToLower(r))
		space = false
	}
	return strings.TrimSpace(b.String())
}

// each puts every head before every tail.
func each(heads []string, tails ...string) []string {
	var all []string
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, h+"…"+t)
		}
	}
	return all
}

// client are the ways in which docker and docker-machine say that a call of
// dockerd's API failed. Their ports set them apart from calls of a registry.
func client() []string {
	return []string{
		"error during connect", "cannot connect to the docker daemon", "an error occurred trying to connect", "failed to connect to the docker api",
		":2376/", ":2375/", ":2376: ", ":2376\": ", "error validating certificates for host", "docker engine endpoint", "unable to query docker version",
		"error checking tls connection",
	}
}

// The ways in which Go, the C library and Windows say the same.
func timeouts() []string {
	return []string{
		"i/o timeout", "operation timed out", "connection timed out", "dialwithdialer timed out", "context deadline exceeded",
		"client.timeout exceeded", "connectex: a connection attempt failed because", "tls handshake timeout",
	}
}

func refusals() []string {
	return []string{"connection refused", "actively refused it"}
}

func unreachables() []string {
	return []string{"no route to host", "network is unreachable", "host is down", "unreachable network", "unreachable host"}
}

// local are the laptop's own addresses in a dial error.
func local() []string {
	return []string{"dial tcp 127.0.0.1:", "dial tcp [::1]:", "host \"localhost:", "host \"127.0.0.1:", "//localhost:", "//127.0.0.1:"}
}

// with puts a local address between head and tail.
func with(heads, middles, tails []string) []string {
	var all []string
	for _, h := range heads {
		for _, m := range middles {
			all = append(all, each([]string{h + "…" + m}, tails...)...)
		}
	}
	return all
}
