package tls

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
)

// clock is the finding about a docker host whose clock is off. A reissued
// certificate is made for both clocks, so it is only where dockerd refuses the
// client's that the clock is to blame.
func (s State) clock() []stack.Finding {
	title := dockerhost.DescribeClockSkew(s.ClockSkew)
	if title == "" {
		return nil
	}
	f := stack.Finding{
		Code: "tls.clock-skew", Status: stack.Warn, Weight: stack.Aside, Title: title,
		Hint: s.ClockHint,
	}
	if s.ClientRejected != "" {
		f.Status, f.Weight = stack.Fail, stack.Plain
		f.Title += ", and dockerd refuses the client certificate"
	}
	return []stack.Finding{f}
}
