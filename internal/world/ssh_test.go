package world

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

func TestWaysToSSHD(t *testing.T) {
	now := time.Now()
	own := vbox.Forward{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 50022, GuestPort: 22}
	rule := func(name, proto, ip string, port, guest int) vbox.Forward {
		return vbox.Forward{Name: name, Proto: proto, HostIP: ip, HostPort: port, GuestPort: guest}
	}
	for name, tt := range map[string]struct {
		rules []vbox.Forward
		want  string
	}{
		"docker_machines_rule":      {[]vbox.Forward{own}, "127.0.0.1:50022"},
		"somebody_elses_rule_too":   {[]vbox.Forward{rule("a", "tcp", "", 2222, 22), own, rule("z", "tcp", "0.0.0.0", 2223, 22)}, "127.0.0.1:50022"},
		"somebody_elses_rule_alone": {[]vbox.Forward{rule("a", "tcp", "", 2222, 22), rule("z", "tcp", "", 2223, 22)}, "127.0.0.1:2222"},
		"a_rule_on_another_address": {[]vbox.Forward{rule("lan", "tcp", "192.168.1.20", 2222, 22)}, "127.0.0.1:40022"},
		"rules_for_other_things":    {[]vbox.Forward{rule("a", "udp", "", 2222, 22), rule("b", "tcp", "", 2376, 2376)}, "127.0.0.1:40022"},
		"no_rule":                   {nil, "127.0.0.1:40022"},
	} {
		t.Run(name, func(t *testing.T) {
			w := farAway(t, t.TempDir(), &now)
			w.Machine.Driver, w.Machine.SSHPort, w.Machine.IP = "virtualbox", 40022, netip.MustParseAddr("192.168.99.100")
			vm := "name=\"default\"\nVMState=\"running\"\nnic1=\"nat\"\n"
			for i, r := range tt.rules {
				vm += fmt.Sprintf("Forwarding(%d)=%q\n", i, r.Rule())
			}
			computer := hosttest.New(t, []byte("-- computer --\nos darwin\n-- $ VBoxManage showvminfo default --machinereadable --\n"+vm))
			w.Machine.VMName = "default"
			w.VM = virtualbox.New(computer, func(string) string { return "" }, w.Repairing).Machine(w.Machine)
			want := []Door{{Addr: tt.want, NAT: true}, {Addr: "192.168.99.100:22"}}
			if diff := cmp.Diff(want, w.Doors(t.Context())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
