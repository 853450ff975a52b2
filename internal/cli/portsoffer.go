package cli

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// offerPorts prints the command that puts published ports on localhost, if there are any. It does not
// ask for containers, but uses the list that the repair has made.
func (a *app) offerPorts(t *target.Target) {
	containers := t.Guest.Staying()
	if _, followed := follow.Current(a.ctx, t.Laptop, t.State()); followed || len(containers) == 0 {
		return
	}
	wanted, _ := ports.Plan(nil, containers)
	ways, missing := ports.Ways{Rules: rulesTo(a.ctx, t)}, 0
	for _, p := range wanted {
		if reach, _ := ways.Reach(p); reach == "" {
			missing++
		}
	}
	next := t.Hint(hint.Own("ports", "on", hint.Machine))
	switch missing {
	case 0:
	case 1:
		a.ui.Say("1 published port is not on localhost: %s", next)
	default:
		a.ui.Say("%d published ports are not on localhost: %s", missing, next)
	}
}
