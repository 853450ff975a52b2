package netfilter

import (
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Verdict is what becomes of a packet.
type Verdict int

// The verdicts. Continue is none: the next rule decides. Unsure is a target that only
// the kernel, or another program, can judge.
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
	// NAT is the address that the packet gets; the verdict is then Accept.
	NAT *Translation
	// Change changes the packet, for the rules behind this one.
	Change Change
}

// Translation is a new address for the packets of a connection.
type Translation struct {
	Side packet.Side
	// To is the new address and port. What is not set stays as it is; with Own it is an
	// address of the interface.
	To  netip.AddrPort
	Own bool
}

// Change changes a packet.
type Change interface {
	Apply(p *packet.Packet)
}

// SetMark changes bits of the packet's mark, or of its connection's if it has one.
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

// CopyMark copies the connection's mark to the packet, or with Save the packet's to the
// connection, in the bits of the masks. Without a connection nothing is copied.
type CopyMark struct {
	Save      bool
	From, Set uint32 // masks of what is read and of what is overwritten
}

func (c CopyMark) Apply(p *packet.Packet) {
	if p.Untracked() {
		return
	}
	from, to := p.Conn.Mark, &p.Mark
	if c.Save {
		from, to = p.Mark, &p.Conn.Mark
	}
	// The bits that are read are flipped into what is left of the old ones.
	to.Value = to.Value&^c.Set ^ from.Value&c.From
	to.Known = (to.Known | c.Set) & (from.Known | ^c.From)
}

// SpoilMark is a change of a mark that cannot be followed.
type SpoilMark struct{}

func (SpoilMark) Apply(p *packet.Packet) { p.Mark.Known, p.Conn.Mark.Known = 0, 0 }

// Untrack takes the packet out of conntrack's sight.
type Untrack struct{}

func (Untrack) Apply(p *packet.Packet) { p.Conn.State = packet.Untracked }
