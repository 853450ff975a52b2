package netfilter

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MAC matches bits of a hardware address.
type MAC struct {
	Side Side
	Addr string // "02:42:ac:11:00:02"
	Mask [6]byte
}

// WholeMAC is the mask of a whole address.
var WholeMAC = [6]byte{255, 255, 255, 255, 255, 255}

// Holds implements Match.
func (m MAC) Holds(p *Packet, _ *Env) Truth {
	text := p.SrcMAC
	if m.Side == Destination {
		text = p.DstMAC
	}
	a, err := ParseMAC(text)
	if err != nil {
		return Maybe
	}
	b, err := ParseMAC(m.Addr)
	if err != nil {
		return Maybe
	}
	for i := range a {
		if a[i]&m.Mask[i] != b[i]&m.Mask[i] {
			return No
		}
	}
	return Yes
}

// ParseMAC reads "02:42:ac:11:0:2".
func ParseMAC(s string) (a [6]byte, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != len(a) {
		return a, fmt.Errorf("%.80q is no hardware address", s)
	}
	for i, p := range parts {
		if len(p) == 1 {
			p = "0" + p
		}
		b, err := hex.DecodeString(p)
		if err != nil || len(b) != 1 {
			return a, fmt.Errorf("%.80q is no hardware address", s)
		}
		a[i] = b[0]
	}
	return a, nil
}

// FrameFamily matches what a frame carries.
type FrameFamily struct{ Family Family }

// Holds implements Match.
func (m FrameFamily) Holds(p *Packet, _ *Env) Truth { return Sure(p.Family == m.Family) }

// BridgeName matches the bridge of a frame that comes in (Source) or goes out.
type BridgeName struct {
	Side Side
	Name string
}

// Holds implements Match.
func (m BridgeName) Holds(p *Packet, _ *Env) Truth {
	if m.Side.link(p) == "" {
		return No
	}
	return nameMatches(m.Name, p.Bridge)
}

// ARPOperation matches a request (1) or a reply (2).
type ARPOperation struct{ Number int }

// Holds implements Match.
func (m ARPOperation) Holds(p *Packet, _ *Env) Truth {
	return Sure(p.Family == ARP && p.ARPOp == m.Number)
}

// OfFamily limits a condition to frames of one family.
type OfFamily struct {
	Family Family
	Match
}

// Holds implements Match.
func (m OfFamily) Holds(p *Packet, e *Env) Truth {
	if p.Family != m.Family {
		return No
	}
	return m.Match.Holds(p, e)
}
