package netfilter

import (
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Verdict is what a rule or a policy decides about a packet.
type Verdict int

// The verdicts. Continue means that the next rule decides; Unsure, that the verdict depends on
// facts that are not known.
const (
	Continue Verdict = iota
	Accept
	Drop
	Return
	Unsure
)

func (v Verdict) String() string {
	return [...]string{"CONTINUE", "ACCEPT", "DROP", "RETURN", "cannot tell"}[v]
}

// Target is what a rule does with a packet. At most one of Call and Verdict is set.
type Target struct {
	Verdict Verdict
	// Call is a chain that the packet goes through next. With Goto it does not come back.
	Call string
	Goto bool
	// NAT is how the packet's address is translated; the verdict is then Accept.
	NAT *Translation
	// Change changes the packet for the following rules.
	Change Change
}

// Translation replaces an address of all packets of a connection.
type Translation struct {
	Side packet.Side
	// To is the new address and port. A part that is zero does not change.
	To netip.AddrPort
	// Own means that the new address is that of the packet's interface.
	Own bool
}

// Change is a change of a packet.
type Change interface {
	Apply(p *packet.Packet)
}

// SetMark changes the packet's mark, or with Connection the mark of its connection: it clears the
// bits of Mask and flips those of Value.
type SetMark struct {
	Connection  bool
	Value, Mask uint32
}

func (c SetMark) Apply(p *packet.Packet) {
	switch {
	case !c.Connection:
		p.Mark = p.Mark.Set(c.Value, c.Mask)
	case !p.Untracked():
		p.Conn.Mark = p.Conn.Mark.Set(c.Value, c.Mask)
	}
}

// CopyMark copies the connection's mark to the packet, or with Save the packet's mark to the
// connection. Without a connection it does nothing.
type CopyMark struct {
	Save bool
	From uint32 // mask of the bits that are read
	Set  uint32 // mask of the bits that are cleared before
}

func (c CopyMark) Apply(p *packet.Packet) {
	if p.Untracked() {
		return
	}
	from, to := p.Conn.Mark, &p.Mark
	if c.Save {
		from, to = p.Mark, &p.Conn.Mark
	}
	// Like the kernel, it combines the bits with XOR.
	to.Value = to.Value&^c.Set ^ from.Value&c.From
	to.Known = (to.Known | c.Set) & (from.Known | ^c.From)
}

// SpoilMark is a change of a mark that cannot be evaluated. No bit is known afterwards.
type SpoilMark struct{}

func (SpoilMark) Apply(p *packet.Packet) { p.Mark.Known, p.Conn.Mark.Known = 0, 0 }

// Untrack exempts the packet from connection tracking.
type Untrack struct{}

func (Untrack) Apply(p *packet.Packet) { p.Conn.State = packet.Untracked }
