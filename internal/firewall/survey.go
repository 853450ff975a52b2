package firewall

import (
	"errors"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// Closed is a rule, or a setting, that keeps clients outside from containers' published ports.
type Closed struct {
	Obstacle
	Containers []string
}

// Survey is what clients outside reach of all published ports.
type Survey struct {
	Closed []Closed
	// Open are the containers with a published port that clients outside reach.
	Open []string
	// Unsure are the containers of which it cannot be known.
	Unsure []string
	// Firewalls are the programs that promise to close ports and do not see docker's.
	Firewalls []string
	// Guarded reports that docker-vpn-helper guard closes published ports.
	Guarded bool
}

// NewSurvey follows a packet from outside to every published port. What a container does with
// it, or a port that is published for the docker host alone, is no matter of packet filters.
// A docker host without a way to the outside is a *TargetError.
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
			continue // closed by guard, which is what it is there for
		}
		i := slices.IndexFunc(s.Closed, func(c Closed) bool { return c.Place == o.Place })
		if i < 0 {
			s.Closed = append(s.Closed, Closed{Obstacle: o})
			i = len(s.Closed) - 1
		}
		s.Closed[i].Containers = append(s.Closed[i].Containers, container)
	}
}

// firewalls are ufw and firewalld where they are active.
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
