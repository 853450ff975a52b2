package dockermachine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// linux is a laptop on which docker-machine can create the machine dev.
const linux = `Debian 12.

-- computer --
os linux
path docker-machine /usr/local/bin/docker-machine
link eth0 - up 192.168.1.20/24
link vboxnet0 - up 192.168.99.1/24
route 192.168.99.100 vboxnet0 192.168.99.0/24
-- $ VBoxManage --version --
6.1.26r145957
-- $ VBoxManage showvminfo dev --machinereadable => exit 1 --
-- stderr --
VBoxManage: error: Could not find a registered machine named 'dev'
`

const mac7 = `macOS 13.

-- computer --
os darwin
path docker-machine /usr/local/bin/docker-machine
-- $ VBoxManage --version --
7.0.8r156879
-- $ sysctl -n hw.optional.arm64 --
`

// on is docker-machine on a laptop that is written down, with an empty store, and its messages.
func on(t *testing.T, transcript string) (*CLI, *hosttest.Computer, *bytes.Buffer) {
	t.Helper()
	c := hosttest.New(t, []byte(transcript))
	s, err := store.Open(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	told := &bytes.Buffer{}
	tell := func(format string, args ...any) { fmt.Fprintf(told, format+"\n", args...) }
	v := virtualbox.New(c, func() bool { return true })
	return New(c, s, v, laptop.New(c), tell), c, told
}

func TestWhatCreatingTakes(t *testing.T) {
	for situation, tt := range map[string]struct {
		transcript string
		want       Plan
	}{
		"nothing_more":           {linux, Plan{}},
		"the_route_restored":     {strings.Replace(linux, "route 192.168.99.100 vboxnet0 192.168.99.0/24", "route 192.168.99.100 eth0 0.0.0.0/0 192.168.1.1", 1), Plan{Route: true}},
		"kernel_modules_loaded":  {strings.Replace(linux, "6.1.26", "WARNING: The vboxdrv kernel module is not loaded.\n6.1.26", 1), Plan{Modules: true}},
		"its_first_network_made": {strings.Replace(strings.Replace(linux, "link vboxnet0 - up 192.168.99.1/24\n", "", 1), "vboxnet0 192.168.99.0/24", "eth0 0.0.0.0/0 192.168.1.1", 1), Plan{}},
	} {
		t.Run(situation, func(t *testing.T) {
			machine, _, _ := on(t, tt.transcript)
			got, err := machine.Check(t.Context(), "dev", hint.Shell("again"))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestWhatStandsInTheWayOfCreating(t *testing.T) {
	for situation, tt := range map[string]struct {
		transcript string
		want       useraction.Required
	}{
		"no_docker_machine": {strings.Replace(linux, "path docker-machine /usr/local/bin/docker-machine\n", "", 1),
			useraction.Required{Text: "docker-machine is not installed; only it creates machines", Hint: InstallHint("linux")}},
		"apple_silicon": {mac7 + "1\n",
			useraction.Required{Text: "this Mac has an Apple chip, on which VirtualBox runs no boot2docker", Hint: hint.Shell("brew install colima docker && colima start")}},
		"virtualbox_7_on_macos": {mac7 + "0\n",
			useraction.Required{Text: "docker-machine creates no machine with VirtualBox 7.0.8r156879 on macOS: it needs host-only adapters, of which there are only networks now",
				Hint: hint.Explain("machine.adapter-unsupported")}},
		"a_vpn": {strings.Replace(linux, "route 192.168.99.100 vboxnet0", "link tun0 tun up 10.8.0.2/24\nroute 192.168.99.100 tun0", 1),
			useraction.Required{Text: "traffic to 192.168.99.0/24 goes into tun0, a VPN tunnel: disconnect from the VPN and run again: again", Hint: hint.Shell("again")}},
		"networks_conf": {strings.Replace(linux, "6.1.26r145957", "6.1.28r147628", 1),
			useraction.Required{Text: "VirtualBox 6.1.28r147628 refuses 192.168.99.1/24 on a host-only adapter: /etc/vbox/networks.conf does not allow it",
				Hint: installation.Allowance{Line: "* 192.168.56.0/21 192.168.99.0/24"}.Hint()}},
		"a_vm_of_that_name": {linux[:strings.Index(linux, " => exit 1")] + " --\nname=\"dev\"\nVMState=\"poweroff\"\n",
			useraction.Required{Text: `VirtualBox has a VM "dev" already, and the store has no machine of that name`, Hint: hint.Run("VBoxManage", "list", "vms")}},
	} {
		t.Run(situation, func(t *testing.T) {
			machine, c, _ := on(t, tt.transcript)
			_, err := machine.Check(t.Context(), "dev", hint.Shell("again"))
			var got *useraction.Required
			if !errors.As(err, &got) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
			if slices.ContainsFunc(c.Ran(), func(cmd string) bool { return strings.HasPrefix(cmd, "#") }) {
				t.Errorf("something was changed: %q", c.Ran())
			}
		})
	}
}

func TestCreateThatFails(t *testing.T) {
	machine, _, told := on(t, linux+"-- $ docker-machine create -d virtualbox dev => exit 3 --\n-- stderr --\nError creating machine\n")
	err := machine.Create(t.Context(), "dev", nil)
	if want := "docker-machine create -d virtualbox dev: exit status 3"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if want := "[dev] running /usr/local/bin/docker-machine create -d virtualbox dev\n"; told.String() != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestNothingIsRemovedOfAMachineThatIsNotThere(t *testing.T) {
	machine, c, _ := on(t, linux)
	if err := machine.Remove(t.Context(), "dev", nil); err != nil || len(c.Ran()) > 0 {
		t.Errorf("%v, ran %q", err, c.Ran())
	}
}

func TestProgram(t *testing.T) {
	for installed, want := range map[string]string{
		"path docker-machine /opt/homebrew/bin/docker-machine\n":                                       "docker-machine",
		"path rancher-machine /usr/local/bin/rancher-machine\n":                                        "rancher-machine",
		"path docker-machine /usr/bin/docker-machine\npath rancher-machine /usr/bin/rancher-machine\n": "docker-machine",
		"": "docker-machine",
	} {
		c := hosttest.New(t, []byte("x\n-- computer --\nos linux\n"+installed))
		if got := Program(c); got != want || Found(c) != (installed != "") {
			t.Errorf("%q: %s, found %t", installed, got, Found(c))
		}
	}
}
