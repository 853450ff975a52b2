package forward

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

func TestFindingsAndChanges(t *testing.T) {
	ours := vbox.Forward{Slot: 1, Name: "docker-vpn-helper", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 2376, GuestPort: 2376}
	open := vbox.Forward{Slot: 1, Name: "dockerd", Proto: "tcp", HostPort: 2375, GuestPort: 2376}
	vm := State{Applies: true, Running: true, GuestPort: 2376, VM: "default", UUID: "1111", Slot: 1}
	with := func(change func(*State)) State {
		s := vm
		change(&s)
		return s
	}
	add := &vmchange.AddRule{VM: "default", UUID: "1111", Slot: 1, Port: 2377, GuestPort: 2376}
	wanted, replacing := *add, *add
	wanted.Demanded, replacing.Old = true, &ours
	missing := engine.Finding{Code: "forward.rule-missing", Status: engine.Fail, Title: "no NAT rule for port 2376 of the VM", Hint: hint.Fix()}
	unneeded, beside := missing, missing
	unneeded.Status, unneeded.Title = engine.Warn, missing.Title+": dockerd answers at the host-only address, until a VPN takes it away"
	beside.Title += " on 127.0.0.1 alone"
	for name, c := range map[string]struct {
		state    State
		findings []engine.Finding
		changes  []engine.Change
	}{
		"another_driver": {State{}, []engine.Finding{{Code: "forward.ok", Status: engine.OK, Title: "a NAT rule does not apply to this driver"}}, nil},
		"no_vm":          {State{Applies: true, NoVM: true}, nil, nil},
		"no_nat_adapter": {State{Applies: true, NoNAT: true, VM: "default", Slot: 1, VMLive: true}, []engine.Finding{{Code: "forward.nat-missing", Status: engine.Fail,
			Title: "no network adapter of the VM is attached to NAT, so no port can be forwarded",
			Hint:  hint.DockerMachine("stop", hint.Machine).Then("&&", hint.VBoxManage("modifyvm", "default", "--nic1", "nat")).Then("&&", hint.Fix())}}, nil},
		"rule": {with(func(s *State) { s.Rules, s.Old = []vbox.Forward{ours}, &ours }), []engine.Finding{{Code: "forward.ok", Status: engine.OK,
			Title: "NAT rule docker-vpn-helper: 127.0.0.1:2376 -> VM port 2376"}}, nil},
		"no_rule":                           {with(func(s *State) { s.Port = 2377 }), []engine.Finding{missing}, []engine.Change{add}},
		"no_rule_and_a_port_is_asked_for":   {with(func(s *State) { s.Port, s.Demanded = 2377, true }), []engine.Finding{missing}, []engine.Change{&wanted}},
		"no_rule_and_the_address_works":     {with(func(s *State) { s.Port, s.HostOnlyWorks = 2377, true }), []engine.Finding{unneeded}, []engine.Change{add}},
		"no_rule_and_other_VMs_did_not_say": {vm, []engine.Finding{missing}, nil},
		"rule_for_everybody": {with(func(s *State) { s.Port, s.Open = 2377, []vbox.Forward{open} }),
			[]engine.Finding{{Code: "forward.open-to-network", Status: engine.Warn,
				Title: "NAT rule dockerd listens on every address of the laptop, port 2375: others in the network reach dockerd's port"}, beside}, []engine.Change{add}},
		"port_is_taken": {with(func(s *State) { s.Rules, s.Old, s.TakenBy, s.Port = []vbox.Forward{ours}, &ours, "node (pid 7)", 2377 }),
			[]engine.Finding{{Code: "forward.port-taken", Status: engine.Fail, Hint: hint.Fix(),
				Title: "NAT rule docker-vpn-helper wants 127.0.0.1:2376, which belongs to node (pid 7)"}}, []engine.Change{&replacing}},
		"port_that_was_asked_for_is_taken": {with(func(s *State) { s.NoPort, s.NextPort = "port 2376 cannot be used", 2378 }),
			[]engine.Finding{{Code: "forward.port-taken", Status: engine.Fail, Title: "port 2376 cannot be used", Hint: hint.Fix("--port", "2378")}}, nil},
		"no_port_is_free": {with(func(s *State) { s.NoPort = "no port" }), []engine.Finding{{Code: "forward.port-taken", Status: engine.Fail, Title: "no port"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.findings, c.state.Findings()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.changes, c.state.Changes()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Listeners on 127.0.0.1 get its connections; if there are none, listeners on all addresses do.
func TestReached(t *testing.T) {
	at := func(addrs ...string) (all []routes.Listener) {
		for _, a := range addrs {
			all = append(all, routes.Listener{Addr: netip.MustParseAddrPort(a)})
		}
		return all
	}
	for name, tt := range map[string]struct{ all, want []routes.Listener }{
		"another_loopback_address": {at("127.0.0.53:2376", "0.0.0.0:2376"), at("0.0.0.0:2376")},
		"the_very_address":         {at("0.0.0.0:2376", "127.0.0.1:2376", "127.0.0.53:2376"), at("127.0.0.1:2376")},
		"mapped_to_ipv6":           {at("[::ffff:127.0.0.1]:2376", "[::]:2376"), at("[::ffff:127.0.0.1]:2376")},
		"nothing_there":            {at("127.0.0.2:2376", "192.168.1.5:2376"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reached(tt.all); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
