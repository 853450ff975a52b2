// Package ports is the layer of published ports: whether they are on the laptop's localhost.
// Only ports on promises that, so that nothing else is a fault.
package ports

import (
	"context"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const (
	// patience is how long dockerd may take to list its containers.
	patience = 2 * time.Second
	// lag is how long a port may take to follow its container.
	lag = 300 * time.Millisecond
)

// State is what was found.
type State struct {
	// Here reports that the docker host is the laptop, where nothing has to be forwarded.
	Here bool `json:"here,omitempty"`
	// On reports that ports on was used; Followed that something keeps ports on localhost now.
	On       bool `json:"on"`
	Followed bool `json:"followed"`
	// NoDocker reports that dockerd does not list its containers, which layer daemon explains.
	NoDocker bool `json:"no_docker,omitempty"`
	// Ports are the published TCP ports that can be on localhost.
	Ports []Port `json:"ports"`
	// Away is why the docker host cannot be reached over SSH by what keeps the ports.
	Away string `json:"away,omitempty"`
}

// Port is a published port.
type Port struct {
	Container string `json:"container"`
	Number    int    `json:"port"`
	Reach     string `json:"reach"` // "" while it is not on localhost
	// Why it is not, as far as is known, and whether another program of the laptop has it.
	Reason string `json:"reason,omitempty"`
	Taken  bool   `json:"taken,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "ports", Needs: []string{"daemon"}, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := look(ctx, t)
	if s.Followed && s.Away == "" && slices.ContainsFunc(s.Ports, func(p Port) bool { return p.Reach == "" && p.Reason == "" }) && host.Sleep(ctx, lag) == nil {
		return look(ctx, t), nil
	}
	return s, nil
}

// look is one look at the containers and at what keeps their ports.
func look(ctx context.Context, t *target.Target) State {
	s := State{Here: t.Kind == target.Local, On: t.Kind != target.Local && laptopchange.PortsServiceInstalled(ctx, t), Ports: []Port{}}
	containers, err := t.API().Containers(ctx)
	if err != nil {
		s.NoDocker = true
		return s
	}
	var run follow.Status
	run, s.Followed = follow.Current(ctx, t.Laptop, t.State())
	s.Away = run.Away
	reach := run.Followed()
	wanted, _ := ports.Plan(nil, containers)
	for key, p := range wanted {
		if key.Protocol != ports.TCP {
			continue
		}
		port := Port{Container: p.Container, Number: key.Port, Reach: reach[key]}
		for _, r := range run.Refused {
			if r.Protocol == key.Protocol && r.Port == key.Port && port.Reach == "" {
				port.Reason, port.Taken = r.Reason, r.Taken
			}
		}
		s.Ports = append(s.Ports, port)
	}
	slices.SortFunc(s.Ports, func(a, b Port) int { return a.Number - b.Number })
	return s
}

// BlockedBy is the layer that reports why dockerd does not answer.
func (s State) BlockedBy() string {
	if s.NoDocker {
		return "daemon"
	}
	return ""
}

// Changes: ports on is the user's wish.
func (State) Changes() []engine.Change { return nil }
