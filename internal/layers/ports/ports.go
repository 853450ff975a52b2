// Package ports is the layer of published ports: are they on the laptop's localhost? That is a problem
// only after "ports on", which promises it.
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
	// lag is how long it may take until a started container's port is on localhost.
	lag = 300 * time.Millisecond
)

// State is what was found.
type State struct {
	Here     bool `json:"here,omitempty"`      // the docker host is the laptop: nothing to forward
	On       bool `json:"on"`                  // ports on was used
	Followed bool `json:"followed"`            // a process keeps ports on localhost now
	NoDocker bool `json:"no_docker,omitempty"` // dockerd does not list containers; see layer daemon
	// Ports are the published TCP ports that can be on localhost.
	Ports []Port `json:"ports"`
	// Away is why that process cannot reach the docker host over SSH; "" if it can.
	Away string `json:"away,omitempty"`
}

// Port is a published port.
type Port struct {
	Container string `json:"container"`
	Number    int    `json:"port"`
	Reach     string `json:"reach"`            // "localhost:8080"; "" if it is not on localhost
	Reason    string `json:"reason,omitempty"` // why it is not, if that is known
	Taken     bool   `json:"taken,omitempty"`  // another program listens on the laptop's port
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "ports", Needs: []string{"daemon"}, Findings: findings, Inspect: inspect}
}

// inspect looks a second time after lag if a port may not be on localhost yet.
func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := look(ctx, t)
	if s.Followed && s.Away == "" && slices.ContainsFunc(s.Ports, func(p Port) bool { return p.Reach == "" && p.Reason == "" }) && host.Sleep(ctx, lag) == nil {
		return look(ctx, t), nil
	}
	return s, nil
}

// look asks for the containers, and for the status of the process that keeps their ports.
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

// BlockedBy returns the layer that reports why dockerd does not answer, or "".
func (s State) BlockedBy() string {
	if s.NoDocker {
		return "daemon"
	}
	return ""
}

// Changes returns none: only the user turns on the login service.
func (State) Changes() []engine.Change { return nil }
