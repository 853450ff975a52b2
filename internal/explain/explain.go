// Package explain knows what docker, docker-machine, ssh, VBoxManage, compose,
// curl and minikube mean by their error messages on a laptop whose dockerd is in
// a VM. It is text in, entries out; what it does not know it does not guess.
package explain

import (
	"regexp"
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
	// Run is what to run or do, mildest first. In the table {machine} stands for
	// the machine; see On.
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
)

// Most is how much of a text is looked at, from its end: what went wrong is said
// last.
const Most = 256 << 10

// All are the known messages, in the order in which they are tried.
func All() []Entry {
	var special, general []Entry
	for _, group := range [][]Entry{
		composeEntries(), composeFileEntries(), minikubeEntries(), minikubeLaptopEntries(), machineEntries(), machineFileEntries(), certEntries(),
		vboxDriverEntries(), vboxStateEntries(), vboxEntries(), vboxNetEntries(), routeEntries(),
		sshEntries(), sshLoginEntries(), sshPathEntries(), proxyEntries(), registryEntries(), containerEntries(),
		containerUseEntries(), dockerEntries(), dockerEnvEntries(), curlEntries(), curlTLSEntries(),
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
func Find(text string) (e Entry, ok bool) { return find(All(), text) }

func find(all []Entry, text string) (e Entry, ok bool) {
	spaced, joined := normal(text)
	for _, e := range all {
		if e.fits(spaced, joined) {
			return e, true
		}
	}
	return Entry{}, false
}

// On is the entry with its commands for one machine, and with the words by which
// this program is to be called.
func (e Entry) On(machine, program string) Entry {
	run := make([]string, len(e.Run))
	for i := range e.Run {
		run[i] = Called(strings.ReplaceAll(e.Run[i], "{machine}", machine), program)
	}
	e.Run = run
	return e
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

// fits says whether one of the two forms of a text has one of the patterns, and
// neither a sign of something else.
func (e Entry) fits(spaced, joined string) bool {
	for _, n := range e.not {
		if strings.Contains(spaced, n) || strings.Contains(joined, n) {
			return false
		}
	}
	for _, p := range e.match {
		if fits(spaced, p) || joined != spaced && fits(joined, p) {
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
