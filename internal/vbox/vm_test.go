package vbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func rule(slot int, name, hostIP string, hostPort, guestPort int) Forward {
	return Forward{Slot: slot, Name: name, Proto: "tcp", HostIP: hostIP, HostPort: hostPort, GuestPort: guestPort}
}

// The order of lines is that of VBoxManageInfo.cpp; the sections that nothing is
// read from are shortened.
func TestParseVM(t *testing.T) {
	for _, c := range []struct {
		situation string
		out       string
		want      VM
	}{
		{"virtualbox_4_3_running", `name="default"
groups="/"
ostype="Linux 2.6 / 3.x / 4.x (64 bit)"
UUID="b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11"
CfgFile="/Users/ann/.docker/machine/machines/default/default/default.vbox"
memory=2048
VMState="running"
VMStateChangeTime="2016-02-01T10:00:00.000000000"
"SATA-0-0"="/Users/ann/.docker/machine/machines/default/boot2docker.iso"
natnet1="nat"
macaddress1="080027BB1475"
cableconnected1="on"
nic1="nat"
nictype1="virtio"
nicspeed1="0"
mtu="0"
sockSnd="64"
Forwarding(0)="docker-vpn-helper,tcp,127.0.0.1,2376,,2376"
Forwarding(1)="ssh,tcp,127.0.0.1,50022,,22"
hostonlyadapter2="vboxnet0"
macaddress2="080027FBC15B"
cableconnected2="on"
nic2="hostonly"
nictype2="virtio"
nicspeed2="0"
nic3="none"
nic4="none"
SessionType="headless"
`, VM{
			Name: "default", UUID: "b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11", SessionName: "headless",
			CfgFile: "/Users/ann/.docker/machine/machines/default/default/default.vbox", State: Running,
			NICs: []NIC{
				{Slot: 1, Attachment: "nat", MAC: "080027BB1475"},
				{Slot: 2, Attachment: "hostonly", HostOnly: "vboxnet0", MAC: "080027FBC15B"},
			},
			Forwards: []Forward{rule(1, "docker-vpn-helper", "127.0.0.1", 2376, 2376), rule(1, "ssh", "127.0.0.1", 50022, 22)},
		}},
		// hashicorp/vagrant's fixtures have the same rows.
		{"virtualbox_7_on_macos_with_a_host_only_network", `name="default"
encryption="disabled"
UUID="b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11"
VMState="aborted-saved"
natnet1="nat"
macaddress1="080027BB1475"
cableconnected1="on"
nic1="nat"
mtu="0"
Forwarding(0)="ssh,tcp,127.0.0.1,2222,,22"
hostonly-network2="minikube-hostonly-192.168.59.1"
macaddress2="080027FBC15B"
cableconnected2="off"
nic2="hostonlynetwork"
nic3="none"
`, VM{
			Name: "default", UUID: "b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11", State: abortedSaved,
			NICs: []NIC{
				{Slot: 1, Attachment: "nat", MAC: "080027BB1475"},
				{Slot: 2, Attachment: "hostonlynetwork", HostOnly: "minikube-hostonly-192.168.59.1", MAC: "080027FBC15B"},
			},
			Forwards: []Forward{rule(1, "ssh", "127.0.0.1", 2222, 22)},
		}},
		{"nat_on_nic_3_and_5_with_rules_each_counted_from_0", `name="multi"
VMState="poweroff"
hostonlyadapter1="vboxnet1"
nic1="hostonly"
nic2="none"
nic3="nat"
Forwarding(0)="a,tcp,,1,,2"
nic4="bridged"
nic5="nat"
Forwarding(0)="b,udp,127.0.0.1,3,10.0.2.15,4"
`, VM{
			Name: "multi", State: PowerOff,
			NICs: []NIC{
				{Slot: 1, Attachment: "hostonly", HostOnly: "vboxnet1"}, {Slot: 3, Attachment: "nat"},
				{Slot: 4, Attachment: "bridged"}, {Slot: 5, Attachment: "nat"},
			},
			Forwards: []Forward{
				rule(3, "a", "", 1, 2),
				{Slot: 5, Name: "b", Proto: "udp", HostIP: "127.0.0.1", HostPort: 3, GuestIP: "10.0.2.15", GuestPort: 4},
			},
		}},
		{"names_with_quotes_backslashes_spaces_and_umlauts", "name=\"my \\\"big\\\" \\\\ Käfer\"\r\n" +
			"CfgFile=\"C:\\\\Users\\\\Jörg\\\\my.vbox\"\r\nVMState=\"saved\"\r\n" +
			"hostonlyadapter2=\"VirtualBox Host-Only Ethernet Adapter #2\"\r\nnic2=\"hostonly\"\r\n" +
			"Forwarding(0)=\"a\"b\\c,tcp,,80,,80\"\r\n", VM{
			Name: `my "big" \ Käfer`, CfgFile: `C:\Users\Jörg\my.vbox`, State: Saved,
			NICs:     []NIC{{Slot: 2, Attachment: "hostonly", HostOnly: "VirtualBox Host-Only Ethernet Adapter #2"}},
			Forwards: []Forward{rule(0, `a"b\c`, "", 80, 80)}, // of a NIC that is not attached to NAT: nobody's
		}},
		{"rules_above_and_below_the_wrong_nics", "name=\"d\"\nVMState=\"running\"\nForwarding(0)=\"a,tcp,,1,,2\"\n" +
			"nic1=\"hostonly\"\nnic2=\"nat\"\nnic3=\"bridged\"\nForwarding(1)=\"b,tcp,,3,,4\"\n", VM{
			Name: "d", State: Running,
			NICs:     []NIC{{Slot: 1, Attachment: "hostonly"}, {Slot: 2, Attachment: "nat"}, {Slot: 3, Attachment: "bridged"}},
			Forwards: []Forward{rule(2, "a", "", 1, 2), rule(2, "b", "", 3, 4)},
		}},
		{"vboxdrv_warning_on_stdout_first", `WARNING: The vboxdrv kernel module is not loaded. Either there is no module
         available for the current kernel (6.5.0-41-generic) or it failed to
         load. Please recompile the kernel module and install it by

           sudo /sbin/vboxconfig

name="default"
VMState="poweroff"
`, VM{Name: "default", State: PowerOff}},
		{"settings_file_gone", "name=\"<inaccessible>\"\nUUID=\"b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11\"\n",
			VM{Name: "<inaccessible>", UUID: "b8a5b9d1-0e5f-4b7c-9d3e-2f3c1f1a8e11", State: Inaccessible}},
		{"description_that_looks_like_rules", "name=\"d\"\nVMState=\"paused\"\nnic1=\"nat\"\n" +
			"description=\"\nForwarding(0)=\"x,tcp,,2376,,2376\"\nnic2=\"nat\"\n\"\n",
			VM{Name: "d", State: Paused, NICs: []NIC{{Slot: 1, Attachment: "nat"}}}},
		{"state_of_a_future_version", "name=\"d\"\nVMState=\"hibernating\"\n", VM{Name: "d", State: "hibernating"}},
	} {
		t.Run(c.situation, func(t *testing.T) {
			got, err := ParseVM([]byte(c.out))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseVMRefuses(t *testing.T) {
	for situation, c := range map[string]struct{ out, want string }{
		"nothing":                 {"", "reading showvminfo: no VMState in its output"},
		"rule_with_five_fields":   {"VMState=\"running\"\nForwarding(0)=\"ssh,tcp,,22,\"\n", `reading NAT rule "ssh,tcp,,22,": want name,proto,hostip,hostport,guestip,guestport`},
		"rule_with_port_of_65536": {"VMState=\"running\"\nForwarding(0)=\"ssh,tcp,,65536,,22\"\n", `reading NAT rule "ssh,tcp,,65536,,22": host port: strconv.ParseUint: parsing "65536": value out of range`},
	} {
		t.Run(situation, func(t *testing.T) {
			if _, err := ParseVM([]byte(c.out)); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestSlots(t *testing.T) {
	vm := VM{NICs: []NIC{{Slot: 1, Attachment: "bridged"}, {Slot: 2, Attachment: "hostonlynetwork", HostOnly: "net"}, {Slot: 4, Attachment: "nat"}}}
	if slot, ok := vm.NATSlot(); slot != 4 || !ok {
		t.Errorf("NAT: %d %v", slot, ok)
	}
	if nic, ok := vm.HostOnlyNIC(); nic.Slot != 2 || !ok {
		t.Errorf("host-only: %v %v", nic, ok)
	}
	if slot, ok := (VM{}).NATSlot(); slot != 0 || ok {
		t.Errorf("NAT of a VM without NICs: %d %v", slot, ok)
	}
}

// FuzzParseVM: what was read, printed as VirtualBox prints it, reads the same.
func FuzzParseVM(f *testing.F) {
	f.Add("name=\"a \\\"b\\\"\"\nVMState=\"running\"\nnic1=\"nat\"\nForwarding(0)=\"x,tcp,127.0.0.1,1,,2\"\n")
	f.Add("name=\"<inaccessible>\"\nUUID=\"u\"\n")
	f.Add("VMState=\"saved\"\nnic2=\"none\"\nForwarding(0)=\"x,,y,z,0,,0\"\nhostonlyadapter2=\"v\"\nnic2=\"hostonly\"\ncableconnected2=\"on\"\n")
	f.Add("Forwarding(0)=\"a,tcp,,1,,2\"\nnic3=\"nat\"\nnic1=\"nat\"\nForwarding(0)=\"a,tcp,,1,,2\"\nVMState=poweroff\n")
	f.Fuzz(func(t *testing.T, out string) {
		vm, err := ParseVM([]byte(out))
		if err != nil {
			return
		}
		again, err := ParseVM([]byte(print(vm)))
		if err != nil {
			t.Fatalf("%v\n%s", err, print(vm))
		}
		if diff := cmp.Diff(vm, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s\n%s", diff, print(vm))
		}
	})
}

// print writes a VM as showvminfo --machinereadable does.
func print(vm VM) string {
	esc := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	var b strings.Builder
	fmt.Fprintf(&b, "name=\"%s\"\nUUID=\"%s\"\nCfgFile=\"%s\"\n", esc(vm.Name), esc(vm.UUID), esc(vm.CfgFile))
	if vm.State != Inaccessible {
		fmt.Fprintf(&b, "VMState=\"%s\"\n", string(vm.State))
	}
	fmt.Fprintf(&b, "SessionName=\"%s\"\n", vm.SessionName)
	for slot := 0; slot <= 36; slot++ {
		attachment := "none"
		for _, n := range vm.NICs {
			if n.Slot == slot {
				attachment = n.Attachment
				fmt.Fprintf(&b, "hostonlyadapter%d=\"%s\"\nmacaddress%d=\"%s\"\n", slot, n.HostOnly, slot, n.MAC)
			}
		}
		if slot > 0 {
			fmt.Fprintf(&b, "nic%d=\"%s\"\n", slot, attachment)
		}
		for _, f := range vm.Forwards {
			if f.Slot == slot {
				fmt.Fprintf(&b, "Forwarding(0)=\"%s\"\n", f.Rule())
			}
		}
	}
	return b.String()
}

func TestNATNetwork(t *testing.T) {
	for _, c := range []struct {
		nic  NIC
		want string
	}{
		{NIC{Slot: 1, Attachment: "nat"}, "10.0.2.0/24"},
		{NIC{Slot: 2, Attachment: "nat"}, "10.0.3.0/24"},
		{NIC{Slot: 1, Attachment: "nat", NATNet: "192.168/16"}, "192.168.0.0/16"},
		{NIC{Slot: 1, Attachment: "nat", NATNet: "172.30.7.0/24"}, "172.30.7.0/24"},
		{NIC{Slot: 2, Attachment: "hostonly"}, ""},
	} {
		got, ok := c.nic.NAT()
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%+v: %s, %v", c.nic, got, ok)
		}
	}
	vm, err := ParseVM([]byte("name=\"d\"\nVMState=\"running\"\nnatnet1=\"10.9.8/24\"\nnic1=\"nat\"\n"))
	if p, _ := vm.NICs[0].NAT(); err != nil || p.String() != "10.9.8.0/24" {
		t.Error(p, err)
	}
}
