package route

import (
	"cmp"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

var findings engine.Table

var (
	noNetwork      = findings.OK("route.ok", "no host-only network to reach")
	right          = findings.OK("route.ok", "traffic to %s goes through %s")
	addressUnknown = findings.Unknown("route.unknown", "the VM's host-only address is unknown: config.json has none", nil)
	unclear        = findings.Unknown("route.unknown", "could not tell which way traffic to %s goes: %s", nil)

	localNetworkDenied = findings.Warn("route.local-network-denied",
		"macOS does not let %[1]s use the local network: connections to %[2]s fail at once (no route to host), although the route through %[3]s is right; allow %[1]s in System Settings > Privacy & Security > Local Network",
		hint.Run("open", laptop.LocalNetworkSettings))
	deniedAlone = findings.Fail("route.local-network-denied",
		"macOS does not let %[1]s use the local network: connections to %[2]s fail at once (no route to host); allow %[1]s in System Settings > Privacy & Security > Local Network",
		hint.Run("open", laptop.LocalNetworkSettings)) // without a NAT rule there is no other way
	staleInVPN = findings.Warn("route.stale", "traffic to %s goes through %s, and nothing answers there while %s is connected", nil)
	stale      = findings.Warn("route.stale", "traffic to %s goes through %s, and nothing answers there", hint.Fix())
	hijacked   = findings.Warn("route.hijacked", "VPN: %s goes into %s instead of %s", nil)
	harmless   = findings.Warn("route.hijacked", "VPN: %s goes into %s instead of %s; harmless while the NAT rule works", nil)
	noRoute    = findings.Warn("route.missing", "no route to %s, neither through %s nor by default", hint.Fix())
	missing    = findings.Warn("route.missing", "traffic to %s goes into %s (%s) instead of %s", hint.Fix())
	// The evidence of these three is a whole sentence: see routes.Judgement.
	colliding      = findings.Warn("route.colliding", "%s", nil)
	addressOutside = findings.Warn("route.address-outside", "%s", hint.Explain("route.address-outside"))
	interfaceDown  = findings.Warn("route.interface-down", "%s", hint.Fix())
)

func (s State) Findings() []engine.Finding {
	if s.SkippedBecause() != "" {
		return nil
	}
	return []engine.Finding{s.finding()}
}

func (s State) finding() engine.Finding {
	j := s.judge()
	adapter := cmp.Or(j.Adapter, "the host-only adapter")
	switch {
	case s.NoAddress:
		return addressUnknown.Found()
	case !s.Applies && s.Forbidden:
		return deniedAlone.Found(cmp.Or(s.App, "the terminal program"), s.View.Addr)
	case !s.Applies:
		return noNetwork.Found()
	case j.Verdict == routes.OK && s.Forbidden:
		return localNetworkDenied.Found(cmp.Or(s.App, "the terminal program"), s.View.Addr, j.Owner)
	case j.Verdict == routes.OK && s.Silent && s.Client.Connected:
		return staleInVPN.Found(s.View.Addr, j.Owner, s.Client.Name)
	case j.Verdict == routes.OK && s.Silent:
		return stale.Advising(s.cure()).Found(s.View.Addr, j.Owner)
	case j.Verdict == routes.OK:
		return right.Found(s.View.Addr, j.Owner)
	case j.Verdict == routes.Hijacked && s.NATWorks:
		return harmless.Found(s.View.Addr, s.tunnel(), adapter)
	case j.Verdict == routes.Hijacked:
		return hijacked.Found(s.View.Addr, s.tunnel(), adapter)
	case j.Verdict == routes.Missing && j.Owner == "":
		return noRoute.Found(s.View.Addr, adapter)
	case j.Verdict == routes.Missing && s.View.Route.Dst.Bits() > 0:
		return missing.Found(s.View.Addr, j.Owner, "a route for "+s.View.Route.Dst.String(), adapter)
	case j.Verdict == routes.Missing:
		return missing.Found(s.View.Addr, j.Owner, "the default route", adapter)
	case j.Verdict == routes.Colliding:
		return colliding.Found(j.Evidence)
	case j.Verdict == routes.Outside:
		return addressOutside.Found(j.Evidence)
	case j.Verdict == routes.NoAdapter && s.Recorded && s.VMAdapter != "":
		return interfaceDown.Advising(s.cure()).Found(j.Evidence)
	case (j.Verdict == routes.InterfaceDown || j.Verdict == routes.NoAdapter) && !s.VMDown && len(s.Changes()) == 0:
		return interfaceDown.Advising(nil).Found(j.Evidence) // a repair would do nothing
	case j.Verdict == routes.InterfaceDown, j.Verdict == routes.NoAdapter:
		return interfaceDown.Found(j.Evidence)
	}
	return unclear.Found(s.View.Addr, j.Evidence)
}

// tunnel returns the name of the VPN's interface, with the name of the VPN client if it is known.
func (s State) tunnel() string {
	name := s.judge().Owner
	if s.Client.Name != "" {
		name += " (" + s.Client.Name + ")"
	}
	return name
}

// cure returns how to revive a dead route, or an adapter that is gone. That is fix, unless docker
// works at its recorded endpoint: fix then skips this layer, so cure returns the commands
// themselves.
func (s State) cure() hint.Hint {
	j := s.judge()
	switch {
	case !s.Recorded:
		return hint.Fix()
	case j.Verdict == routes.NoAdapter:
		return hint.VBoxManage(vbox.IfConfig(s.VMAdapter, s.laptopAddr())...)
	}
	var steps hint.Hint
	for _, step := range routes.ReAdd(s.OS, s.laptopAddr(), j.Adapter, s.laptopAddr().Addr()) {
		steps = steps.Then(";", hint.Run(append([]string{"sudo"}, step.Argv...)...))
	}
	return steps
}

// Changes plans nothing for a route that a connected VPN owns: the VPN client would put it back at
// once.
func (s State) Changes() []engine.Change {
	if !s.Applies || s.VMDown || s.NATAddress {
		return nil
	}
	j := s.judge()
	restore := []engine.Change{&vmchange.RestoreRoute{OS: s.OS, Net: s.laptopAddr(), Adapter: j.Adapter}}
	configure := func(adapter string) []engine.Change {
		return []engine.Change{&vmchange.ConfigureAdapter{Adapter: adapter, Addr: s.laptopAddr()}}
	}
	switch {
	case s.Recorded && (j.Verdict == routes.OK || j.Verdict == routes.NoAdapter):
		return nil // fix skips this layer then: see cure
	case j.Verdict == routes.OK && s.Silent && !s.Client.Connected:
		// A route that is listed but dead revives when it is added again (kubernetes/minikube#4302).
		return restore
	case j.Verdict == routes.Missing && j.Adapter != "":
		return restore
	case j.Verdict == routes.InterfaceDown && strings.HasPrefix(j.Adapter, "vboxnet"):
		// VBoxManage only configures its own adapters; a bridge is vmnet's.
		return configure(j.Adapter)
	case j.Verdict == routes.NoAdapter && s.VMAdapter != "":
		return configure(s.VMAdapter)
	}
	return nil
}
