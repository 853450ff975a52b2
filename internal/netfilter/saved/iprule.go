package saved

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/match"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// ipRule returns a function that reads the options of a rule of iptables or ip6tables.
func ipRule(family packet.Family) func(*netfilter.Rule, []option) error {
	return func(r *netfilter.Rule, all []option) error {
		module, of := "", []option(nil)
		flush := func() error {
			if module == "" && len(of) == 0 {
				return nil
			}
			matches, err := moduleMatches(family, module, of)
			r.Matches = append(r.Matches, matches...)
			module, of = "", nil
			return err
		}
		for i, o := range all {
			m, core, err := coreMatch(family, o)
			switch {
			case err != nil:
				return err
			case core:
				// More options of the module may follow.
				r.Matches = append(r.Matches, m)
			case o.name == "-m":
				if err := flush(); err != nil {
					return err
				}
				if module, err = o.arg(); err != nil {
					return err
				}
			case o.name == "-j" || o.name == "-g":
				if err := flush(); err != nil {
					return err
				}
				return ipTarget(r, o, all[i+1:])
			default:
				of = append(of, o)
			}
		}
		return flush()
	}
}

// coreMatch reads an option that does not belong to a module; core is false for all others.
func coreMatch(family packet.Family, o option) (m match.Match, core bool, err error) {
	side := packet.Source
	switch o.name {
	case "-d", "-o":
		side = packet.Destination
	case "-f":
		return match.Invert(o.not, match.Never{}), true, nil // no packet.Packet is a second or later fragment
	case "-s", "-i", "-p":
	default:
		return nil, false, nil
	}
	arg, err := o.arg()
	if err != nil {
		return nil, true, err
	}
	switch o.name {
	case "-p":
		m = match.Protocol{Number: protocolNumber(arg)}
	case "-i", "-o":
		m = match.Interface{Side: side, Name: arg}
	default:
		m, err = addressMatch(family, side, arg)
	}
	return match.Invert(o.not, m), true, err
}
