package vbox

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArgv(t *testing.T) {
	f := rule(0, "docker-vpn-helper", "127.0.0.1", 2376, 2376)
	running, off := VM{Name: "default", UUID: "u", State: Running}, VM{Name: "default", UUID: "u", State: PowerOff}
	for situation, c := range map[string]struct{ got, want []string }{
		"add_to_a_running_vm":      {AddForward(running, 1, f), []string{"controlvm", "default", "natpf1", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}},
		"add_to_a_paused_vm":       {AddForward(VM{Name: "default", State: Paused}, 2, f), []string{"controlvm", "default", "natpf2", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}},
		"add_to_a_stopped_vm":      {AddForward(off, 3, f), []string{"modifyvm", "default", "--natpf3", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}},
		"add_to_a_saved_vm":        {AddForward(VM{Name: "default", State: Saved}, 1, f), []string{"modifyvm", "default", "--natpf1", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}},
		"delete_from_a_running_vm": {DeleteForward(running, 1, "x y"), []string{"controlvm", "default", "natpf1", "delete", "x y"}},
		"delete_from_a_stopped_vm": {DeleteForward(off, 1, "x"), []string{"modifyvm", "default", "--natpf1", "delete", "x"}},
		"name_like_an_option":      {DeleteForward(VM{Name: "--help", UUID: "u", State: PowerOff}, 1, "x"), []string{"modifyvm", "u", "--natpf1", "delete", "x"}},
		"host_only_address":        {IfConfig("vboxnet0", netip.MustParsePrefix("192.168.99.1/21")), []string{"hostonlyif", "ipconfig", "vboxnet0", "--ip", "192.168.99.1", "--netmask", "255.255.248.0"}},
		"network_for_the_laptop":   {AddHostOnlyNet("docker-machine", netip.MustParsePrefix("192.168.99.1/24")), []string{"hostonlynet", "add", "--name", "docker-machine", "--netmask", "255.255.255.0", "--lower-ip", "192.168.99.1", "--upper-ip", "192.168.99.254", "--enable"}},
		"network_of_another_size":  {AddHostOnlyNet("n", netip.MustParsePrefix("10.22.0.1/21")), []string{"hostonlynet", "add", "--name", "n", "--netmask", "255.255.248.0", "--lower-ip", "10.22.0.1", "--upper-ip", "10.22.7.254", "--enable"}},
		"network_moved":            {MoveHostOnlyNet("Legacy vboxnet0 Network", netip.MustParsePrefix("192.168.99.1/24")), []string{"hostonlynet", "modify", "--name", "Legacy vboxnet0 Network", "--lower-ip", "192.168.99.1", "--upper-ip", "192.168.99.254", "--netmask", "255.255.255.0", "--enable"}},
		"vm_on_a_network":          {UseHostOnlyNet("default", 2, "Legacy vboxnet0 Network"), []string{"modifyvm", "default", "--nic2", "hostonlynet", "--host-only-net2", "Legacy vboxnet0 Network"}},
	} {
		t.Run(situation, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// VBoxManage 7.2 stops printing at the first name that its locale cannot encode
// (internal/lab/realvbox, TestOddNames).
func TestNamesThatAreNotASCIIArePrinted(t *testing.T) {
	if env := Env(); !slices.Contains(env, "LC_ALL=C.UTF-8") {
		t.Errorf("%q", env)
	}
}
