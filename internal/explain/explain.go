// Package explain knows what the error messages of docker, docker-machine, ssh,
// VBoxManage, compose, curl, openssl and minikube mean on a laptop whose dockerd is in a VM.
// It takes text and returns an entry of messages/*.txt; messages/README.md describes
// those files. A message without an entry stays unexplained.
package explain

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Entry is a known message.
type Entry struct {
	// ID is stable: the tool and the case, "docker.cert-names".
	ID string `json:"id"`
	// Means is what the message means on such a laptop.
	Means string `json:"means"`
	// Causes, likeliest first.
	Causes []string `json:"causes"`
	// Do are the steps that are no commands, and Run the commands, mildest first; On fills both.
	Do  []string `json:"do"`
	Run []string `json:"run"`
	// Code is the finding whose page has more; empty where there is none. Also are other
	// findings that have the same message, the likeliest first.
	Code string   `json:"code"`
	Also []string `json:"also"`
	// Source is where the message's wording, or what it means, is taken from.
	Source string `json:"source"`

	match, closing []pattern
	not            []string
	advice         []advice
	pages          []advice // Code on some operating systems
	values         []value
	samples        []string
}

// advice is a line of Run or of Do, and where it is of use: everywhere, on one operating
// system, or with one kind of VirtualBox.
type advice struct {
	where, line string
	prose       bool // of Do
}

// value is a number or name that a message has and a command needs.
type value struct {
	name string         // as it stands in commands, in capitals
	word *regexp.Regexp // the name as a word
	re   *regexp.Regexp // its group finds the value
}

// MaxText is how much of a text is looked at, from its end: programs print what
// went wrong last.
const MaxText = 256 << 10

// All returns the known messages, in the order in which they are tried.
func All() []Entry { return table().entries }

// Laptop is the computer that commands are for.
type Laptop struct {
	System  string // "darwin", "linux"
	Machine string // the machine that commands are for
	Program string // how this program is called, "docker-vpn-helper -s /store"
	// HostOnlyNetworks reports whether VirtualBox has host-only networks in place of
	// adapters, as 7 on macOS has. It is asked only where a command depends on it.
	HostOnlyNetworks func() bool
}

// Find returns the first entry with a pattern that fits a text; ok is false if there
// is none. A closing line, which programs print around or after the line that has the
// reason, explains a text only if nothing else in it does.
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

// halves are lines of docker's that people paste without their first half: how the pasted half
// begins, or the whole of it; the missing half; and the condition under which docker printed it.
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

// FindRest is Find for one line of docker's whose first half is missing: it is read as
// an answer from dockerd. Means begins with the condition under which that is right.
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

// ByID returns the entry of a name.
func ByID(id string) (Entry, bool) {
	i := slices.IndexFunc(All(), func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return All()[i], true
}

// fits reports whether one of the two forms of a text has one of the patterns, and
// neither has a sign of something else.
func (e Entry) fits(patterns []pattern, spaced, joined string) bool {
	fits := slices.ContainsFunc(patterns, func(p pattern) bool {
		return p.fits(spaced) || joined != spaced && p.fits(joined)
	})
	return fits && !slices.ContainsFunc(e.not, func(sign string) bool {
		return strings.Contains(spaced, sign) || strings.Contains(joined, sign)
	})
}

// On returns the entry with the commands for a laptop, and with what the text of the
// message adds: its operating system, and values.
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

// systemOf returns the operating system that a message is from: the one that it shows
// signs of, else the laptop's own.
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

// machineCommand is docker-machine where it is called, and not a network's name.
var machineCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("(?:^ *|[`(|;&] *)docker-machine ")
})

// Called is a command line with the words by which this program is to be called, such
// as "docker-vpn-helper -s /store"; docker-machine is for the same store.
func Called(line, program string) string {
	line = machineCommand().ReplaceAllStringFunc(line, func(call string) string {
		return strings.TrimSuffix(call, "docker-machine ") + strings.Replace(program, "docker-vpn-helper", "docker-machine", 1) + " "
	})
	return strings.ReplaceAll(line, "docker-vpn-helper ", program+" ")
}
