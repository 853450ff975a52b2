package allowance

import (
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

//go:embed apply.sh
var applyScript string

//go:embed remove.sh
var removeScript string

// none is an empty field in the file.
const none = "-"

// List has all allowances of a docker host.
type List struct {
	Socket string // the path of dockerd's socket
	Root   string // dockerd's data directory
	// Units are systemd units that add rules which ours must come before.
	Units []string
	All   []Allowance
}

// Encode returns the text of the file that apply.sh reads. A line has a keyword and fields,
// separated by tabs; rule lines belong to the allow line above, before lines to the rule line.
func (l *List) Encode() string {
	var b strings.Builder
	b.WriteString("# What docker-vpn-helper allow keeps open. Edit it with: docker-vpn-helper allow, deny\n")
	line := func(fields ...string) { b.WriteString(strings.Join(fields, "\t") + "\n") }
	line("socket", l.Socket)
	line("root", l.Root)
	for _, u := range l.Units {
		line("unit", u)
	}
	for _, a := range l.All {
		from, once := none, none
		if a.From.IsValid() {
			from = a.From.String()
		}
		if a.Once != "" {
			once = a.Once
		}
		line("allow", a.Container, strconv.Itoa(a.Port), a.Protocol(), from, once, strconv.Itoa(a.Inside))
		for _, r := range a.Rules {
			first := "0"
			if r.First {
				first = "1"
			}
			line("rule", string(r.Tool), string(r.Backend), r.Table, r.Chain, r.Target, first, r.Match)
			for _, text := range r.Before {
				line("before", text)
			}
		}
	}
	return b.String()
}

// Decode reads what Encode returned.
func Decode(text string) (*List, error) {
	l := &List{}
	for n, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if err := l.read(strings.Split(line, "\t")); err != nil {
			return nil, fmt.Errorf("line %d of the docker host's list of allowances: %w", n+1, err)
		}
	}
	return l, nil
}

func (l *List) read(f []string) error {
	last := func() *Allowance {
		if len(l.All) == 0 {
			return nil
		}
		return &l.All[len(l.All)-1]
	}
	switch {
	case f[0] == "socket" && len(f) == 2:
		l.Socket = f[1]
	case f[0] == "root" && len(f) == 2:
		l.Root = f[1]
	case f[0] == "unit" && len(f) == 2:
		l.Units = append(l.Units, f[1])
	case f[0] == "allow" && len(f) == 7:
		a := Allowance{Container: f[1], UDP: f[3] == "udp"}
		port, err := strconv.ParseUint(f[2], 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no port", f[2])
		}
		inside, err := strconv.ParseUint(f[6], 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no port", f[6])
		}
		a.Port, a.Inside = int(port), int(inside)
		if f[4] != none {
			if a.From, err = netip.ParsePrefix(f[4]); err != nil {
				return fmt.Errorf("%q is no network", f[4])
			}
		}
		if f[5] != none {
			a.Once = f[5]
		}
		l.All = append(l.All, a)
	case f[0] == "rule" && len(f) == 8 && last() != nil:
		last().Rules = append(last().Rules, Rule{Tool: netfilter.Tool(f[1]), Backend: netfilter.Backend(f[2]), Table: f[3], Chain: f[4], Target: f[5], First: f[6] == "1", Match: f[7]})
	case f[0] == "before" && len(f) == 2 && last() != nil && len(last().Rules) > 0:
		r := &last().Rules[len(last().Rules)-1]
		r.Before = append(r.Before, f[1])
	default:
		return fmt.Errorf("%q is not known to this version", f[0])
	}
	return nil
}

// Put adds a plan's allowances to the list. Where the list has an allowance for the same port and
// clients, Put only adds what is new.
func (l *List) Put(p *Plan) {
	for _, u := range p.Units {
		if !slices.Contains(l.Units, u) {
			l.Units = append(l.Units, u)
		}
	}
	for _, a := range p.Allowances {
		i := slices.IndexFunc(l.All, func(b Allowance) bool { return a.sameAs(&b) })
		if i < 0 {
			l.All = append(l.All, a)
			continue
		}
		for _, r := range a.Rules {
			l.All[i].add(r)
		}
		l.All[i].Once = a.Once
	}
}

// Remove removes the allowances of the request's container, or only those of its port, and returns them.
func (l *List) Remove(r Request) (removed []Allowance) {
	l.All = slices.DeleteFunc(l.All, func(a Allowance) bool {
		gone := a.Container == r.Container && (r.Port == 0 || (a.Port == r.Port || a.Inside == r.Port) && a.UDP == r.UDP)
		if gone {
			removed = append(removed, a)
		}
		return gone
	})
	return removed
}
