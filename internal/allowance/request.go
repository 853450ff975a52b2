package allowance

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/firewall"
)

// Request is what the user wants to open.
type Request struct {
	Container string       // a name, the beginning of an ID, or a container's address
	Port      int          // inside the container or published; 0 means all published ports
	UDP       bool         // of Port
	From      netip.Prefix // the network of the clients; the zero value means everyone
	Once      string       // the ID of the current boot if the allowance is to end with it
}

// Plan is what a request needs.
type Plan struct {
	Container  string
	Allowances []Allowance // none if packets reach the container already
	// Obstacles are what the allowances' rules get past.
	Obstacles []firewall.Obstacle
	// Units are the systemd units that added those obstacles.
	Units []string
	Notes []string
	// LetsOut means that the plan also lets the container send packets to the outside, which it
	// could not do before.
	LetsOut bool
}

// Refusal is why there is no plan.
type Refusal struct {
	Text    string
	Stopped string // the container, if the reason is that it is not running
	Unsure  bool   // the reason is a rule that cannot be evaluated
}

func (r *Refusal) Error() string { return r.Text }

func refused(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

// found records an obstacle, and the unit that added it.
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
