// Package firewall is the layer of the docker host's packet filters: can outside clients reach the
// published ports of its containers?
package firewall

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/guard"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// inspectTime is the timeout of the whole inspection.
const inspectTime = 3 * time.Second

// State is what was found.
type State struct {
	Skipped  string `json:"skipped,omitempty"`   // why nothing was inspected
	NoDocker bool   `json:"no_docker,omitempty"` // dockerd does not answer
	*firewall.Survey
	Drift []guard.Drift `json:"guard_drift,omitempty"` // if guard is on
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "firewall", Needs: []string{"daemon"}, Findings: findings, Inspect: inspect}
}

// inspect asks as the login user, because a diagnosis does not use sudo.
func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	if t.Host == nil {
		return State{Skipped: "the packet filters are in a VM"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	// Ping dockerd first: the docker command would wait for one that does not answer.
	conn, err := t.Docker(ctx)
	if err != nil {
		return State{NoDocker: true}, nil
	}
	defer conn.Close()
	if _, err := dockerd.Ping(ctx, conn, dockerd.PingRequest); err != nil {
		return State{NoDocker: true}, nil
	}
	facts, err := netfacts.CollectIfRoot(ctx, t.Host, t.Socket)
	switch {
	case errors.Is(err, netfacts.ErrNotRoot):
		return State{Skipped: "needs root"}, nil
	case errors.Is(err, netfacts.ErrRootless):
		return State{Skipped: "dockerd is rootless: its networks are in a namespace of that user"}, nil
	case err != nil:
		return State{Skipped: "no answer: " + err.Error()}, nil
	case !facts.Docker:
		return State{Skipped: "docker lists no containers: " + facts.DockerSaid}, nil
	case facts.Elsewhere():
		return State{Skipped: "docker's networks are in a VM or a network namespace"}, nil
	}
	s := State{}
	if s.Survey, err = firewall.NewSurvey(facts); err != nil {
		return State{Skipped: err.Error()}, nil
	}
	s.Drift, err = drift(ctx, t, facts)
	return s, err
}

// drift returns how the docker host differs from what guard installed; none if guard is off.
func drift(ctx context.Context, t *target.Target, facts *netfacts.Facts) ([]guard.Drift, error) {
	if !guard.Traces(facts) {
		return nil, nil
	}
	f, err := guard.With(ctx, t.Host, facts, t.Socket, guard.SkipCgroup)
	if err != nil {
		return nil, err
	}
	settings, err := f.Settings()
	return f.Drift(settings), err
}

// SkippedBecause returns why nothing was inspected, or "".
func (s State) SkippedBecause() string { return s.Skipped }

// BlockedBy returns the layer that reports why dockerd does not answer.
func (s State) BlockedBy() string {
	if s.NoDocker {
		return "daemon"
	}
	return ""
}

var findings engine.Table

var (
	fine     = findings.OK("firewall.ok", "no packet filter keeps clients outside from published ports")
	nothing  = findings.OK("firewall.ok", "no container publishes a port to the outside")
	unsure   = findings.OK("firewall.ok", "no rule certainly keeps clients outside from published ports; rules that cannot be evaluated, such as rate limits, decide about %s")
	drops    = findings.Warn("firewall.drops", "clients outside cannot reach %s: %s", nil)
	arpDrops = findings.Warn("firewall.arp-drops", "the docker host cannot find %s by ARP: %s", nil)
	drifted  = findings.Warn("firewall.guard-drift", "guard is not in effect as installed: %s", hint.Own("guard", "start", "-H", hint.Machine))
	open     = findings.Aside("firewall.open-to-public", "%s is active, but clients outside can still reach %s", hint.Explain("firewall.open-to-public"))
)

// Findings are at most warnings: docker itself works.
func (s State) Findings() []engine.Finding {
	if s.Survey == nil {
		return nil
	}
	var all []engine.Finding
	for _, c := range s.Closed {
		row := drops
		if c.Layer == firewall.Neighbors {
			row = arpDrops
		}
		all = append(all, row.Advising(hint.Own("reach", c.Containers[0], "-H", hint.Machine)).Found(list(c.Containers), c.Obstacle))
	}
	for _, d := range s.Drift {
		all = append(all, drifted.Found(d.Text))
	}
	if len(s.Firewalls) > 0 && len(s.Open) > 0 && !s.Guarded {
		all = append(all, open.Found(strings.Join(s.Firewalls, " and "), list(s.Open)))
	}
	switch {
	case len(all) > 0:
	case len(s.Unsure) > 0:
		all = append(all, unsure.Found(list(s.Unsure)))
	case len(s.Open) > 0 || s.Guarded:
		all = append(all, fine.Found())
	default:
		all = append(all, nothing.Found())
	}
	return all
}

// Changes returns none: packet filters are changed only by allow and guard.
func (State) Changes() []engine.Change { return nil }

// list returns the names, or the first of many.
func list(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + " and others"
}
