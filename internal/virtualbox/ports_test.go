package virtualbox

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// A laptop with the VMs dev, which is to get a rule, and other, which is off.
const ports = `Debian 12, VirtualBox 6.1.26.

-- computer --
os linux
taken 2377
privileged 22
-- $ VBoxManage list vms --
"dev" {1111}
"other" {2222}
"<inaccessible>" {3333}
-- $ VBoxManage showvminfo 2222 --machinereadable --
name="other"
UUID="2222"
VMState="poweroff"
nic1="nat"
Forwarding(0)="web,tcp,127.0.0.1,2379,,80"
Forwarding(1)="dns,udp,127.0.0.1,2380,,53"
-- $ VBoxManage showvminfo 3333 --machinereadable => exit 1 --
-- stderr --
VBoxManage: error: Could not find a registered machine named '3333'
-- $ ss -Hltnp 'sport = :2377' --
LISTEN 0 10 127.0.0.1:2377 0.0.0.0:* users:(("node",pid=42,fd=20))
`

func TestPortForANewRule(t *testing.T) {
	type choice struct {
		Port, Next int
		Problem    string
	}
	vm := vbox.VM{Name: "dev", UUID: "1111", Forwards: []vbox.Forward{
		{Name: "ssh", Proto: "tcp", HostPort: 2378, GuestPort: 22},
		{Name: RuleName, Proto: "tcp", HostPort: 2381, GuestPort: 2376},
	}}
	for situation, tt := range map[string]struct {
		port     int
		demanded bool
		want     choice
	}{
		"free": {2376, false, choice{Port: 2376}},
		"the_next_that_no_program_and_no_rule_has": {2377, false, choice{Port: 2380}},
		"our_own_rule_is_replaced":                 {2381, true, choice{Port: 2381}},
		"demanded_one_that_a_program_has":          {2377, true, choice{Next: 2380, Problem: "port 2377 cannot be used for the NAT rule to dockerd: node (PID 42) listens on it"}},
		"demanded_one_that_a_rule_of_the_vm_has":   {2378, true, choice{Next: 2380, Problem: `port 2378 cannot be used for the NAT rule to dockerd: NAT rule "ssh" of this VM uses it`}},
		"demanded_one_that_a_vm_which_is_off_has":  {2379, true, choice{Next: 2380, Problem: `port 2379 cannot be used for the NAT rule to dockerd: NAT rule "web" of VM "other" uses it`}},
		"demanded_one_that_is_roots":               {22, true, choice{Next: 2376, Problem: "port 22 cannot be used for the NAT rule to dockerd: this user may not listen on it"}},
	} {
		t.Run(situation, func(t *testing.T) {
			v, c := on(t, ports)
			p, err := v.FindPorts(t.Context(), vm, laptop.New(c))
			if err != nil {
				t.Fatal(err)
			}
			got := choice{}
			got.Port, err = p.Choose(t.Context(), tt.port, tt.demanded)
			var unusable *PortError
			if errors.As(err, &unusable) {
				got.Next, got.Problem = unusable.Next, unusable.Text
			} else if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPortThatVirtualBoxDidNotBind(t *testing.T) {
	v, c := on(t, ports)
	p, err := v.FindPorts(t.Context(), vbox.VM{UUID: "1111"}, laptop.New(c))
	if err != nil {
		t.Fatal(err)
	}
	p.DidNotBind(2376)
	if port, err := p.Choose(t.Context(), 2376, false); port != 2378 || err != nil {
		t.Errorf("%d, %v, want 2378", port, err)
	}
	want := "port 2376 cannot be used for the NAT rule to dockerd: VirtualBox added a NAT rule for it and did not listen"
	if _, err := p.Choose(t.Context(), 2376, true); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestNoPortIsLeft(t *testing.T) {
	v, c := on(t, ports)
	p, err := v.FindPorts(t.Context(), vbox.VM{UUID: "1111"}, laptop.New(c))
	if err != nil {
		t.Fatal(err)
	}
	for port := 65530; port <= 65535; port++ {
		p.DidNotBind(port)
	}
	_, err = p.Choose(t.Context(), 65530, false)
	var none *PortError
	if errors.As(err, &none); !cmp.Equal(&PortError{Text: "no port from 65530 to 65535 can be listened on at 127.0.0.1", Next: 20000}, none) {
		t.Errorf("%+v", none)
	}
}

func TestRulesThatLeadToDockerd(t *testing.T) {
	rule := func(name, proto, ip string, host, guest int) vbox.Forward {
		return vbox.Forward{Name: name, Proto: proto, HostIP: ip, HostPort: host, GuestPort: guest}
	}
	ours, any := rule(RuleName, "tcp", "127.0.0.1", 2380, 2376), rule("any", "tcp", "", 2376, 2376)
	vm := vbox.VM{Forwards: []vbox.Forward{rule("v6", "tcp", "::1", 2377, 2376), rule("other", "tcp", "127.0.0.2", 2376, 2376), any, rule("ssh", "tcp", "", 50022, 22), rule("udp", "udp", "", 2376, 2376), rule("lan", "tcp", "192.168.1.20", 2376, 2376), ours}}
	v, _ := on(t, debian)
	if diff := cmp.Diff([]vbox.Forward{ours, any}, v.Machine(dev()).DaemonRules(vm)); diff != "" {
		t.Error(diff)
	}
}

// VirtualBox could not be asked about dev when the run began, and can now. dev's own rule is
// not another VM's.
func TestPortWhileTheVMCannotBeRead(t *testing.T) {
	v, c := on(t, ports+`-- $ VBoxManage showvminfo dev --machinereadable => exit 1 --
-- stderr --
VBoxManage: error: Could not launch the VM process
-- $ VBoxManage showvminfo 1111 --machinereadable --
name="dev"
UUID="1111"
VMState="poweroff"
nic1="nat"
Forwarding(0)="docker-vpn-helper,tcp,127.0.0.1,2382,,2376"
`)
	if err := v.Machine(dev()).CheckPort(t.Context(), 2382, laptop.New(c)); err != nil {
		t.Error(err)
	}
}
