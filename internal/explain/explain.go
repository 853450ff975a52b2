// Package explain knows what error messages of docker, docker-machine, ssh, VBoxManage, compose,
// curl, openssl and minikube mean on a laptop whose dockerd is in a VM. It takes a text and returns
// an entry of messages/*.txt; messages/README.md describes those files. It does not explain
// messages without an entry.
package explain

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Entry is a known message.
type Entry struct {
	// ID never changes: the tool and the case, "docker.cert-names".
	ID string `json:"id"`
	// Means is what the message means on such a laptop.
	Means string `json:"means"`
	// Causes, likeliest first.
	Causes []string `json:"causes"`
	// Do are steps that are not commands, and Run are commands, mildest first. On fills both.
	Do  []string `json:"do"`
	Run []string `json:"run"`
	// Code is the finding whose page has more, or "". Also are other findings with the same message,
	// the likeliest first.
	Code string   `json:"code"`
	Also []string `json:"also"`
	// Source is where the message's wording or meaning is from.
	Source string `json:"source"`

	match, closing []pattern
	not            []string
	advice         []advice
	pages          []advice // Code on some operating systems
	values         []value
	samples        []string
}

// advice is a line of Run or Do, and where it applies: everywhere (""), on one operating system, or
// with one kind of VirtualBox network.
type advice struct {
	where, line string
	prose       bool // true for Do, false for Run
}

// value is a number or name that occurs in a message and that a command needs.
type value struct {
	name string         // its placeholder in commands, in capitals
	word *regexp.Regexp // the name as a word
	re   *regexp.Regexp // its group matches the value in the message
}

// MaxText is how many bytes of a text are searched, from its end: programs print what went wrong
// last.
const MaxText = 256 << 10

// All returns the known messages, in the order in which they are tried.
func All() []Entry { return table().entries }

// Laptop is the computer for which commands are adapted.
type Laptop struct {
	System  string // "darwin", "linux"
	Machine string // the machine for {machine} in commands
	Program string // how this program is called, "docker-vpn-helper -s /store"
	// HostOnlyNetworks reports whether VirtualBox has host-only networks instead of adapters, as 7
	// on macOS has. It is called only if a command depends on it.
	HostOnlyNetworks func() bool
}

// Find returns the first entry with a pattern that matches a text; ok is false if there is none. A
// closing line, which programs print around or after the reason, explains a text only if nothing
// else in it does.
func Find(text string) (e Entry, ok bool) {
	spaced, joined := normal(text)
	for _, e := range All() {
		if e.fits(e.match, spaced, joined) {
			return e, true
		}
	}
	for _, e := range All() {
		if e.fits(e.closing, spaced, joined) {
			return e, true
		}
	}
	return Entry{}, false
}

// halves are messages of docker's that people paste without their first half: how the pasted half
// begins, or all of it; the missing half; and the condition under which docker printed it.
var halves = []struct{ beginning, whole, missing, condition string }{
	{"x509:", "", aboutDockerd, ifDockerd},
	{"tls:", "", aboutDockerd, ifDockerd},
	{"remote error: tls:", "", aboutDockerd, ifDockerd},
	{"http: server gave", "", aboutDockerd, ifDockerd},
	{"", "net/http: TLS handshake timeout", aboutDockerd, ifDockerd},
	{"", "context deadline exceeded", aboutDockerd, ifDockerd},
	{"", "no space left on device", "Error response from daemon: ", "If docker printed this: "},
}

const (
	aboutDockerd = `error during connect: Get "https://192.168.99.100:2376/v1.40/info": `
	ifDockerd    = "If docker printed this about dockerd, and not about an image: "
)

// FindRest is Find for one line of docker's without its first half. It assumes that the line was
// about dockerd; Means begins with that condition.
func FindRest(text string) (e Entry, ok bool) {
	text = strings.TrimSpace(text)
	for _, half := range halves {
		if strings.Contains(text, "\n") || half.whole != "" && !strings.EqualFold(text, half.whole) || !strings.HasPrefix(text, half.beginning) {
			continue
		}
		e, ok = Find(half.missing + text)
		e.Means = half.condition + e.Means
		return e, ok
	}
	return Entry{}, false
}

// ByID returns the entry with an ID.
func ByID(id string) (Entry, bool) {
	i := slices.IndexFunc(All(), func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return All()[i], true
}

// fits reports whether one of the two forms of a text matches one of the patterns, and neither
// contains a sign of something else.
func (e Entry) fits(patterns []pattern, spaced, joined string) bool {
	fits := slices.ContainsFunc(patterns, func(p pattern) bool {
		return p.fits(spaced) || joined != spaced && p.fits(joined)
	})
	return fits && !slices.ContainsFunc(e.not, func(sign string) bool {
		return strings.Contains(spaced, sign) || strings.Contains(joined, sign)
	})
}

// On returns the entry with Do and Run for a laptop: with its operating system, and with values
// from the text of the message.
func (e Entry) On(laptop Laptop, text string) Entry {
	message := squeeze(plain(text))
	system := systemOf(strings.ToLower(message), laptop.System)
	e.Do, e.Run = []string{}, []string{}
	for _, p := range e.pages {
		if p.where == system {
			e.Code = p.line
		}
	}
	for _, c := range e.advice {
		switch c.where {
		case "", system:
		case "adapters", "networks":
			networks := system == "macos" && laptop.HostOnlyNetworks != nil && laptop.HostOnlyNetworks()
			if networks != (c.where == "networks") {
				continue
			}
		default:
			continue
		}
		line := strings.ReplaceAll(c.line, "{machine}", laptop.Machine)
		for _, v := range e.values {
			if m := v.re.FindStringSubmatch(message); m != nil {
				line = v.word.ReplaceAllLiteralString(line, m[1])
			}
		}
		if line = Called(line, laptop.Program); c.prose {
			e.Do = append(e.Do, line)
		} else {
			e.Run = append(e.Run, line)
		}
	}
	return e
}

// systemOf returns the operating system that a message is from: the one of which it shows signs,
// otherwise the laptop's own.
func systemOf(message, laptop string) string {
	for _, system := range []string{"windows", "macos", "linux"} {
		signs := table().lists[strings.ToUpper(system)]
		if slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(message, sign) }) {
			return system
		}
	}
	if laptop == "darwin" {
		return "macos"
	}
	return laptop
}

// machineCommand matches docker-machine as a command, not as a network's name.
var machineCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("(?:^ *|[`(|;&] *)docker-machine ")
})

// Called returns a command line that calls this program as program, such as "docker-vpn-helper -s
// /store". Calls of docker-machine get the same store.
func Called(line, program string) string {
	line = machineCommand().ReplaceAllStringFunc(line, func(call string) string {
		return strings.TrimSuffix(call, "docker-machine ") + strings.Replace(program, "docker-vpn-helper", "docker-machine", 1) + " "
	})
	return strings.ReplaceAll(line, "docker-vpn-helper ", program+" ")
}
