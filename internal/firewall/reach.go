// Package firewall finds out whether a packet gets to a container of a docker host, and
// which rule drops it otherwise. It follows the packet through the docker host's netfacts.
package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Verdict is whether a packet gets to the container.
type Verdict string

// The verdicts.
const (
	Reachable Verdict = "reachable"
	Blocked   Verdict = "blocked"
	Unknown   Verdict = "unknown"
)

// Answer is what Reach found out.
type Answer struct {
	Target    string     `json:"target"` // "web2:80/tcp"
	From      string     `json:"from"`
	Verdict   Verdict    `json:"verdict"`
	Obstacles []Obstacle `json:"obstacles"`
	Doubts    []Doubt    `json:"doubts"`
	Path      []Hop      `json:"path"`
	Notes     []string   `json:"notes"`
}

// Reach follows a packet from an origin to a target: "CONTAINER", "CONTAINER:PORT", "PORT",
// "PORT/udp" or an address of a container, which is then the packet's own destination.
func Reach(f *netfacts.Facts, target, from string) (*Answer, error) {
	if !f.Docker {
		return nil, fmt.Errorf("%w: %s", errNoDocker, f.DockerSaid)
	}
	goals, err := goals(f, target)
	if err != nil {
		return nil, err
	}
	a := &Answer{Target: target, From: from, Obstacles: []Obstacle{}, Doubts: []Doubt{}, Path: []Hop{}, Notes: []string{}}
	for _, g := range goals {
		t := &tracer{Facts: f, target: g.container, skip: map[netfilter.Place]bool{}}
		t.env = f.Env(packet.IPv4)
		if err := t.start(g, from); err != nil {
			return nil, err
		}
		a.add(t)
	}
	for _, u := range f.Unread {
		a.Doubts = append(a.Doubts, Doubt{Place: netfilter.Place{Text: u}, Why: "its rules cannot be evaluated"})
	}
	switch {
	case len(a.Obstacles) > 0:
		a.Verdict = Blocked
	case len(a.Doubts) > 0:
		a.Verdict = Unknown
	default:
		a.Verdict = Reachable
	}
	suspicions(f, a)
	return a, nil
}

func (a *Answer) add(t *tracer) {
	for _, o := range t.obstacles {
		if !slices.ContainsFunc(a.Obstacles, func(other Obstacle) bool { return other.Place == o.Place }) {
			a.Obstacles = append(a.Obstacles, o)
		}
	}
	for _, d := range t.doubts {
		if !slices.Contains(a.Doubts, d) {
			a.Doubts = append(a.Doubts, d)
		}
	}
	for _, n := range t.notes {
		if !slices.Contains(a.Notes, n) {
			a.Notes = append(a.Notes, n)
		}
	}
	a.Path = append(a.Path, t.path...)
}

// errNoDocker is a docker host whose dockerd did not answer.
var errNoDocker = errors.New("dockerd does not answer on the docker host")
