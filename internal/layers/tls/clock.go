package tls

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// clockBlamed reports whether dockerd refuses a client certificate that is good by the
// laptop's clock, and the docker host's is off.
func (s State) clockBlamed() bool {
	return s.ClientRejected != "" && s.ClientProblem == nil && dockerhost.DescribeClockSkew(s.ClockSkew) != ""
}

// clock is the finding about a docker host whose clock is off. A reissued
// certificate is made for both clocks, so it is only where dockerd refuses the
// client's that the clock is to blame.
func (s State) clock() []engine.Finding {
	title := dockerhost.DescribeClockSkew(s.ClockSkew)
	if title == "" {
		return nil
	}
	f := engine.Finding{
		Code: "tls.clock-skew", Status: engine.Warn, Weight: engine.Aside, Title: title,
		Hint: s.ClockHint,
	}
	if s.clockBlamed() {
		f.Status, f.Weight = engine.Fail, engine.Plain
		f.Title += ", and dockerd refuses the client certificate"
	}
	return []engine.Finding{f}
}
