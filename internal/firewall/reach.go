// Package firewall evaluates whether packets reach a container of a docker host, and which rules
// drop them. It follows a packet through the facts that package netfacts collects. Pure.
package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Verdict is whether packets reach the container.
type Verdict string

// The verdicts.
const (
	Reachable Verdict = "reachable"
	Blocked   Verdict = "blocked"
	Unknown   Verdict = "unknown"
)

// Answer is the result of Reach.
type Answer struct {
	Target    string     `json:"target"` // "web2:80/tcp"
	From      string     `json:"from"`
	Verdict   Verdict    `json:"verdict"`
	Obstacles []Obstacle `json:"obstacles"`
	Doubts    []Doubt    `json:"doubts"`
	Path      []Hop      `json:"path"`
	Notes     []string   `json:"notes"`
}

// Reach follows packets from an origin to a target: "CONTAINER", "CONTAINER:PORT", "PORT",
// "PORT/udp" or a container's own address. A wrong target or origin is a *TargetError.
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
	noteSuspicions(f, a)
	return a, nil
}

// add merges the results of one packet into the answer.
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

var errNoDocker = errors.New("no answer from dockerd on the docker host")
