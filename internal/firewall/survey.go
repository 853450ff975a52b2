package firewall

import (
	"errors"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Closed is an obstacle that keeps outside clients from the published ports of some containers.
type Closed struct {
	Obstacle
	Containers []string // their names
}

// Survey is which containers' published ports outside clients can reach.
type Survey struct {
	Closed    []Closed
	Open      []string // names of containers that can be reached
	Unsure    []string // names of containers where a rule decides that cannot be evaluated
	Firewalls []string // active firewall programs, which do not cover docker's published ports
	Guarded   bool     // docker-vpn-helper guard is on
}

// NewSurvey follows a packet from outside to every published port. It only reports packet filters
// and routes as obstacles, and skips ports that are published for the docker host alone.
// The error is a *TargetError if the docker host has no default route.
func NewSurvey(f *netfacts.Facts) (*Survey, error) {
	s := &Survey{Firewalls: firewalls(f), Guarded: f.IPTablesChain("mangle", "DOCKER-PUB") != nil}
	for _, c := range f.Containers {
		if c.PID == 0 || !slices.ContainsFunc(c.Published, func(p netfacts.Published) bool { return !p.HostIP.IsLoopback() }) {
			continue
		}
		answer, err := Reach(f, c.Name, FromPublic)
		if wrong := new(TargetError); errors.As(err, &wrong) && wrong.NoAddress {
			continue
		} else if err != nil {
			return nil, err
		}
		obstacles := slices.DeleteFunc(answer.Obstacles, func(o Obstacle) bool { return o.Layer == InDocker || o.Layer == Inside })
		switch {
		case len(obstacles) > 0:
			s.close(c.Name, obstacles)
		case len(answer.Doubts) > 0:
			s.Unsure = append(s.Unsure, c.Name)
		case answer.Verdict == Reachable:
			s.Open = append(s.Open, c.Name)
		}
	}
	return s, nil
}

func (s *Survey) close(container string, obstacles []Obstacle) {
	for _, o := range obstacles {
		if strings.HasPrefix(o.Chain, "DOCKER-PUB") {
			continue // guard closes it on purpose
		}
		i := slices.IndexFunc(s.Closed, func(c Closed) bool { return c.Place == o.Place })
		if i < 0 {
			s.Closed = append(s.Closed, Closed{Obstacle: o})
			i = len(s.Closed) - 1
		}
		s.Closed[i].Containers = append(s.Closed[i].Containers, container)
	}
}

// firewalls returns "ufw" and "firewalld" if they are active.
func firewalls(f *netfacts.Facts) []string {
	var all []string
	if f.IPTablesChain("filter", "ufw-user-input") != nil {
		all = append(all, "ufw")
	}
	if slices.ContainsFunc(f.Tables, func(t *netfilter.Table) bool { return t.Name == "firewalld" && len(t.Chains) > 0 }) || f.IPTablesChain("filter", "INPUT_ZONES") != nil {
		all = append(all, "firewalld")
	}
	return all
}
