package allowance

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
)

// Request is what the user wants to be reachable.
type Request struct {
	Container string // a name, the beginning of an ID, or an address of a container
	Port      int    // inside the container or published; 0 stands for all that are published
	UDP       bool
	From      netip.Prefix
	Once      string
}

// Plan is what a request needs.
type Plan struct {
	Container  string
	Allowances []Allowance
	// Obstacles are what the rules open; none where packets get to the container already.
	Obstacles []firewall.Obstacle
	// Units wrote rules that the allowance has to come before.
	Units []string
	Notes []string
	// LetsOut reports that the container itself can send packets to the outside afterwards,
	// which it could not before.
	LetsOut bool
}

// Refusal is why nothing is planned.
type Refusal struct {
	Text string
	// Stopped is a container that does not run.
	Stopped string
	// Unsure reports that a rule which cannot be evaluated decides.
	Unsure bool
}

func (r *Refusal) Error() string { return r.Text }

func refused(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

// found notes an obstacle that is opened, and the unit that wrote it.
func (p *Plan) found(o firewall.Obstacle) {
	if !slices.ContainsFunc(p.Obstacles, func(other firewall.Obstacle) bool { return other.Place == o.Place }) {
		p.Obstacles = append(p.Obstacles, o)
	}
	if w := o.WrittenBy; w != nil && w.Unit != "" && !slices.Contains(p.Units, w.Unit) {
		p.Units = append(p.Units, w.Unit)
	}
}

func (p *Plan) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, n) {
		p.Notes = append(p.Notes, n)
	}
}
