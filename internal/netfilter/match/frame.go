package match

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// MAC matches the bits of a hardware address that Mask selects.
type MAC struct {
	Side packet.Side
	Addr string // "02:42:ac:11:00:02"
	Mask [6]byte
}

// WholeMAC is the mask of a whole address.
var WholeMAC = [6]byte{255, 255, 255, 255, 255, 255}

func (m MAC) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	text := p.SrcMAC
	if m.Side == packet.Destination {
		text = p.DstMAC
	}
	a, err := ParseMAC(text)
	if err != nil {
		return packet.Maybe
	}
	b, err := ParseMAC(m.Addr)
	if err != nil {
		return packet.Maybe
	}
	for i := range a {
		if a[i]&m.Mask[i] != b[i]&m.Mask[i] {
			return packet.No
		}
	}
	return packet.Yes
}

// ParseMAC reads "02:42:ac:11:0:2".
func ParseMAC(s string) (a [6]byte, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != len(a) {
		return a, fmt.Errorf("%.80q is not a hardware address", s)
	}
	for i, p := range parts {
		if len(p) == 1 {
			p = "0" + p
		}
		b, err := hex.DecodeString(p)
		if err != nil || len(b) != 1 {
			return a, fmt.Errorf("%.80q is not a hardware address", s)
		}
		a[i] = b[0]
	}
	return a, nil
}

// FrameFamily matches frames by the protocol family that they carry.
type FrameFamily struct{ Family packet.Family }

func (m FrameFamily) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(p.Family == m.Family)
}

// BridgeName matches the bridge of a frame that comes in (Source) or goes out (Destination).
type BridgeName struct {
	Side packet.Side
	Name string
}

func (m BridgeName) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if m.Side.Link(p) == "" {
		return packet.No
	}
	return nameMatches(m.Name, p.Bridge)
}

// ARPOperation matches a request (1) or a reply (2).
type ARPOperation struct{ Number int }

func (m ARPOperation) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(p.Family == packet.ARP && p.ARPOp == m.Number)
}

// OfFamily is a condition that holds only for frames of one family.
type OfFamily struct {
	Family packet.Family
	Match
}

func (m OfFamily) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	if p.Family != m.Family {
		return packet.No
	}
	return m.Match.Holds(p, e)
}
