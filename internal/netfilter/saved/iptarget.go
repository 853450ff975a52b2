package saved

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// noEffect are targets that do not affect the verdict: the next rule decides.
var noEffect = []string{
	"LOG", "NFLOG", "ULOG", "TRACE", "CHECKSUM", "TCPMSS", "TCPOPTSTRIP", "CLASSIFY", "DSCP", "TOS", "ECN", "TTL", "HL", "AUDIT",
	"RATEEST", "LED", "SET", "IDLETIMER", "SECMARK", "CONNSECMARK", "TEE", "HMARK",
}

// ipTarget reads a target of iptables and its options. Every other name is taken for a chain;
// resolve checks whether it exists.
func ipTarget(r *netfilter.Rule, o option, rest []option) error {
	name, err := o.arg()
	if err != nil {
		return err
	}
	t := &r.Target
	switch name {
	case "ACCEPT":
		t.Verdict = netfilter.Accept
	case "DROP", "REJECT":
		t.Verdict = netfilter.Drop
	case "RETURN":
		t.Verdict = netfilter.Return
	case "QUEUE", "NFQUEUE", "TPROXY", "SYNPROXY", "NETMAP":
		t.Verdict, r.Note = netfilter.Unsure, "what "+name+" does with the packet cannot be evaluated"
	case "DNAT", "SNAT", "MASQUERADE", "REDIRECT":
		return natTarget(r, name, rest)
	case "MARK", "CONNMARK":
		t.Change, err = markTarget(name, rest)
		return err
	case "CT":
		if len(rest) > 0 && rest[0].name == "--notrack" {
			t.Change = netfilter.Untrack{}
		}
	case "NOTRACK":
		t.Change = netfilter.Untrack{}
	default:
		if !slices.Contains(noEffect, name) {
			t.Call, t.Goto = name, o.name == "-g"
		}
	}
	return nil
}

func natTarget(r *netfilter.Rule, name string, rest []option) error {
	nat := &netfilter.Translation{Side: packet.Destination, Own: name == "MASQUERADE" || name == "REDIRECT"}
	if name == "SNAT" || name == "MASQUERADE" {
		nat.Side = packet.Source
	}
	r.Target = netfilter.Target{Verdict: netfilter.Accept, NAT: nat}
	for _, o := range rest {
		switch o.name {
		case "--to-destination", "--to-source", "--to-ports":
		default:
			continue // --random, --persistent
		}
		arg, err := o.arg()
		if err != nil {
			return err
		}
		if o.name == "--to-ports" {
			arg = ":" + arg
		}
		to, ok := parseEndpoint(arg)
		if !ok || nat.To != (netip.AddrPort{}) {
			if nat.Side == packet.Source {
				continue // no later rule sees the source
			}
			r.Target, r.Note = netfilter.Target{Verdict: netfilter.Unsure}, "which address "+name+" chooses cannot be evaluated"
			return nil
		}
		nat.To = to
	}
	return nil
}

// markTarget reads MARK and CONNMARK. iptables-save prints only --set-xmark, --save-mark and
// --restore-mark; the other options are how people write rules.
func markTarget(name string, rest []option) (netfilter.Change, error) {
	connection := name == "CONNMARK"
	copying, masks := "", map[string]uint32{"--nfmask": ^uint32(0), "--ctmask": ^uint32(0)}
	for _, o := range rest {
		if o.name == "--save-mark" || o.name == "--restore-mark" {
			copying = o.name
			continue
		}
		arg, err := o.arg()
		if err != nil {
			return nil, err
		}
		value, mask, err := numberAndMask(arg)
		if err != nil {
			return nil, err
		}
		switch o.name {
		case "--set-xmark":
			return netfilter.SetMark{Connection: connection, Value: value, Mask: mask}, nil
		case "--set-mark":
			return netfilter.SetMark{Connection: connection, Value: value, Mask: mask | value}, nil
		case "--and-mark":
			return netfilter.SetMark{Connection: connection, Value: 0, Mask: ^value}, nil
		case "--or-mark":
			return netfilter.SetMark{Connection: connection, Value: value, Mask: value}, nil
		case "--xor-mark":
			return netfilter.SetMark{Connection: connection, Value: value, Mask: 0}, nil
		case "--nfmask", "--ctmask":
			masks[o.name] = value
		case "--mask":
			masks["--nfmask"], masks["--ctmask"] = value, value
		default:
			return netfilter.SpoilMark{}, nil
		}
	}
	switch copying {
	case "--save-mark":
		return netfilter.CopyMark{Save: true, From: masks["--nfmask"], Set: masks["--ctmask"]}, nil
	case "--restore-mark":
		return netfilter.CopyMark{From: masks["--ctmask"], Set: masks["--nfmask"]}, nil
	}
	if strings.HasPrefix(name, "CONN") || len(rest) > 0 {
		return nil, fmt.Errorf("%s has no mark to set", name)
	}
	return netfilter.SpoilMark{}, nil
}
