package ports

import (
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var findings engine.Table

var (
	none        = findings.OK("ports.ok", "no container publishes a TCP port")
	here        = findings.OK("ports.ok", "published on this computer: %s")
	kept        = findings.OK("ports.ok", "on localhost: %s")
	observed    = findings.OK("ports.ok", "published: %s")
	notFollowed = findings.Warn("ports.not-followed", "the login service of ports on is not running; not on localhost: %s", hint.Own("ports", "on", hint.Machine))
	idle        = findings.Warn("ports.not-followed", "the login service of ports on is not running", hint.Own("ports", "on", hint.Machine))
	taken       = findings.Warn("ports.taken", "%s of container %s is not on localhost: %s", hint.Explain("ports.taken"))
	refused     = findings.Warn("ports.unreachable", "%s of container %s is not on localhost: %s", hint.Own("ports", "status", hint.Machine))
	away        = findings.Warn("ports.unreachable", "ports on localhost are reserved, but connections are reset: %s", hint.Own("ports", "status", hint.Machine))
)

// Findings are at most warnings: docker itself works.
func (s State) Findings() []engine.Finding {
	switch {
	case s.NoDocker:
		return nil
	case s.Here && len(s.Ports) > 0:
		return []engine.Finding{here.Found(s.list(every))}
	case s.On && !s.Followed && len(s.Ports) > 0:
		return []engine.Finding{notFollowed.Found(s.list(every))}
	case s.On && !s.Followed:
		return []engine.Finding{idle.Found()}
	case len(s.Ports) == 0:
		return []engine.Finding{none.Found()}
	case !s.Followed:
		return []engine.Finding{observed.Found(s.list(every))}
	case s.On && s.Away != "":
		return []engine.Finding{away.Found(s.Away)}
	}
	var all []engine.Finding
	for _, p := range s.Ports {
		switch {
		case p.Reach != "" || !s.On:
		case p.Taken:
			all = append(all, taken.Found(p.String(), p.Container, p.Reason))
		case p.Reason != "":
			all = append(all, refused.Found(p.String(), p.Container, p.Reason))
		default:
			all = append(all, refused.Found(p.String(), p.Container, "it was not picked up"))
		}
	}
	if len(all) > 0 {
		return all
	}
	if list := s.list(func(p Port) bool { return p.Reach != "" }); list != "" {
		return []engine.Finding{kept.Found(list)}
	}
	return []engine.Finding{observed.Found(s.list(every))}
}

// every selects all ports in list.
func every(Port) bool { return true }

func (p Port) String() string { return fmt.Sprintf("port %d", p.Number) }

// list returns the selected ports, or the first of many.
func (s State) list(which func(Port) bool) string {
	const most = 3
	var names []string
	for _, p := range s.Ports {
		if which(p) {
			names = append(names, fmt.Sprintf("%d (%s)", p.Number, p.Container))
		}
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
