package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

func TestAddressesOfSSHD(t *testing.T) {
	now := time.Now()
	own := vbox.Forward{Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 50022, GuestPort: 22}
	rule := func(name, proto, ip string, port, guest int) vbox.Forward {
		return vbox.Forward{Name: name, Proto: proto, HostIP: ip, HostPort: port, GuestPort: guest}
	}
	for name, tt := range map[string]struct {
		rules []vbox.Forward
		state string // of the VM, "unknown" to VirtualBox; "" where that is not installed
		nat   string // the address of VirtualBox's rule; "" for none
	}{
		"docker_machines_rule":                   {[]vbox.Forward{own}, "running", "127.0.0.1:50022"},
		"another_rule_too":                       {[]vbox.Forward{rule("a", "tcp", "", 2222, 22), own, rule("z", "tcp", "0.0.0.0", 2223, 22)}, "running", "127.0.0.1:50022"},
		"another_rule_alone":                     {[]vbox.Forward{rule("a", "tcp", "", 2222, 22), rule("z", "tcp", "", 2223, 22)}, "running", "127.0.0.1:2222"},
		"a_rule_at_another_loopback_address":     {[]vbox.Forward{rule("ssh", "tcp", "127.0.0.2", 2222, 22)}, "running", "127.0.0.2:2222"},
		"a_rule_at_an_address_of_the_network":    {[]vbox.Forward{rule("lan", "tcp", "192.168.1.20", 2222, 22)}, "running", ""},
		"rules_for_other_things":                 {[]vbox.Forward{rule("a", "udp", "", 2222, 22), rule("b", "tcp", "", 2376, 2376)}, "running", ""},
		"a_rule_at_the_port_of_the_laptops_sshd": {[]vbox.Forward{rule("ssh", "tcp", "127.0.0.1", 22, 22)}, "running", ""},
		"that_one_and_another":                   {[]vbox.Forward{rule("ssh", "tcp", "", 22, 22), rule("z", "tcp", "", 2223, 22)}, "running", "127.0.0.1:2223"},
		"no_rule":                                {nil, "running", ""},
		"no_such_vm":                             {nil, "unknown", ""},
		"virtualbox_is_not_installed":            {nil, "", "127.0.0.1:40022"},
	} {
		t.Run(name, func(t *testing.T) {
			a := dockerHost(t, "virtualbox", t.TempDir(), &now, mode.Mode{})
			a.Laptop = noLinks{a.Laptop}
			a.Machine.SSHPort, a.Machine.IP = 40022, netip.MustParseAddr("192.168.99.100")
			a.VM = vmOf(t, tt.state, tt.rules...)
			want := []Address{{Addr: tt.nat, NAT: true}, {Addr: "192.168.99.100:22"}}
			if tt.nat == "" {
				want = want[1:]
			}
			if diff := cmp.Diff(want, a.Addresses(t.Context())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// vmOf is a VM as VBoxManage shows it: its state, "unknown" where there is none, "failed"
// where VBoxManage fails, "" where it is not installed.
func vmOf(t *testing.T, state string, rules ...vbox.Forward) *virtualbox.Machine {
	const show = "-- $ VBoxManage showvminfo default --machinereadable"
	text := "-- computer --\nos darwin\n"
	switch state {
	case "":
	case "unknown":
		text += show + " => exit 1 --\n-- stderr --\nVBoxManage: error: Could not find a registered machine named 'default'\n"
	case "failed":
		text += show + " => exit 1 --\n-- stderr --\nVBoxManage: error: Failed to create the VirtualBox object!\n"
	default:
		text += show + " --\nname=\"default\"\nVMState=\"" + state + "\"\nnic1=\"nat\"\n"
		for i, r := range rules {
			text += fmt.Sprintf("Forwarding(%d)=%q\n", i, r.Rule())
		}
	}
	manager := virtualbox.New(hosttest.New(t, []byte(text)), func() bool { return false })
	return manager.Machine(store.Machine{VMName: "default"})
}

type noLinks struct{ host.Laptop }

func (noLinks) Links(context.Context) ([]host.Link, error) { return nil, nil }

// lanLaptop is a laptop to which DHCP gave an address that a VM had.
type lanLaptop struct{ host.Laptop }

const lanAddress = "192.168.99.100"

func (lanLaptop) Links(context.Context) ([]host.Link, error) {
	return []host.Link{{Name: "en0", Up: true, Addrs: []netip.Prefix{netip.MustParsePrefix(lanAddress + "/24")}}}, nil
}

// Whatever is in a store and in VirtualBox, no address of a docker host is the laptop's own
// sshd, unless the user has told docker-machine that the laptop is the docker host.
func TestNoAddressIsTheLaptopsOwnSSHD(t *testing.T) {
	ports := []string{``, `,"SSHPort":0`, `,"SSHPort":"0"`, `,"SSHPort":22`, `,"SSHPort":"22"`, `,"SSHPort":70000`, `,"SSHPort":50022`}
	ips := []string{"", "127.0.0.1", "127.0.0.7", "localhost", "0.0.0.0", "::", "::1", lanAddress, "192.168.99.101"}
	vms := map[string]*virtualbox.Machine{}
	for _, state := range []string{"running", "unknown", "failed", ""} {
		vms[state] = vmOf(t, state)
	}
	for _, at := range []string{"", "127.0.0.1", "0.0.0.0", "127.0.0.2", "localhost", "192.168.99.1"} {
		for _, port := range []int{0, 22, 50022} {
			rule := vbox.Forward{Name: "ssh", Proto: "tcp", HostIP: at, HostPort: port, GuestPort: 22}
			vms[rule.Rule()] = vmOf(t, "running", rule)
		}
	}
	addresses := 0
	for _, driver := range []string{"virtualbox", "generic", "qemu2", "parallels", "none"} {
		for _, port := range ports {
			for _, ip := range ips {
				config := fmt.Sprintf(`{"DriverName":%q,"Driver":{"IPAddress":%q%s}}`, driver, ip, port)
				m := loaded(t, config)
				asked := driver == "generic" && strings.Contains(port, "22") && !strings.Contains(port, "50022")
				look := func(name string, vm *virtualbox.Machine) {
					a := New(Config{Laptop: lanLaptop{}, Machine: m, VM: vm})
					for _, d := range a.Addresses(t.Context()) {
						addresses++
						if own(t, d.Addr) && !asked && !(driver == "generic" && ip == lanAddress) {
							t.Errorf("%s with %s: %s is the laptop's own sshd", config, name, d.Addr)
						}
					}
				}
				if driver != "virtualbox" {
					look("another driver", nil)
					continue
				}
				for name, vm := range vms {
					look(name, vm)
				}
			}
		}
	}
	if addresses < 500 {
		t.Errorf("only %d addresses were looked at", addresses)
	}
}

// loaded is the machine of a store that has this config.json.
func loaded(t *testing.T, config string) store.Machine {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "machines", "default", "config.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(host.NewLocal(host.Sudo{}), dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Load(t.Context(), "default")
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return m
}

// own reports whether the laptop's sshd answers at an address.
func own(t *testing.T, addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	ip, err := netip.ParseAddr(host)
	return port == "22" && (host == lanAddress || err != nil && host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified()))
}
