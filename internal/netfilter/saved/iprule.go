package saved

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"

// ipRule reads the rules of iptables, or of ip6tables.
func ipRule(family netfilter.Family) func(*netfilter.Rule, []option) error {
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
				// A module's options may go on behind it.
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

// coreMatch reads an option that belongs to no module; core is false for all others.
func coreMatch(family netfilter.Family, o option) (m netfilter.Match, core bool, err error) {
	side := netfilter.Source
	switch o.name {
	case "-d", "-o":
		side = netfilter.Destination
	case "-f":
		return netfilter.Invert(o.not, netfilter.Never{}), true, nil // no packet here is a later fragment
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
		m = netfilter.Protocol{Number: protocolNumber(arg)}
	case "-i", "-o":
		m = netfilter.Interface{Side: side, Name: arg}
	default:
		m, err = addressMatch(family, side, arg)
	}
	return netfilter.Invert(o.not, m), true, err
}
