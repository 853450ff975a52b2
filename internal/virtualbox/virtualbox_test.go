package virtualbox

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// on is the VirtualBox of a laptop that is written down, in a diagnosis.
func on(t *testing.T, transcript string) (*Manager, *hosttest.Computer) {
	t.Helper()
	c := hosttest.New(t, []byte(transcript))
	return New(c, func() bool { return false }), c
}

// dev is a machine as docker-machine makes it.
func dev() store.Machine {
	return store.Machine{Name: "dev", VMName: "dev", Driver: "virtualbox", Dir: "/store/machines/dev", IP: netip.MustParseAddr("192.168.99.100")}
}

const debian = "Debian 12.\n\n-- computer --\nos linux\n"

func TestNoVBoxManage(t *testing.T) {
	v, _ := on(t, debian)
	if _, err := v.Version(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("%v, want %v", err, ErrNotInstalled)
	}
}

// docker/machine b170508b, drivers/virtualbox/vbm.go, has seen and retries it.
func TestAnObjectThatIsNotReadyIsAskedAgain(t *testing.T) {
	v, c := on(t, debian+`-- $ VBoxManage showvminfo dev --machinereadable => exit 1 => scene ready --
-- stderr --
VBoxManage: error: The object is not ready
-- scene ready --
-- $ VBoxManage showvminfo dev --machinereadable --
name="dev"
VMState="running"
`)
	vm, err := v.LookUp(t.Context(), "dev")
	if diff := cmp.Diff(vbox.VM{Name: "dev", State: vbox.Running}, vm); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if ran := c.Ran(); len(ran) != 2 {
		t.Errorf("asked %d times, want twice", len(ran))
	}
}

func TestAnErrorWithExitStatus0IsAnError(t *testing.T) {
	v, _ := on(t, debian+"-- $ VBoxManage list vms --\n-- stderr --\nVBoxManage: error: Failed to create the VirtualBox object!\n")
	_, err := v.VMs(t.Context())
	if want := "listing VMs: VBoxManage: Failed to create the VirtualBox object!"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// hanging is a laptop whose VBoxManage never ends.
type hanging struct{ host.Laptop }

func (hanging) OS() string                                 { return host.Linux }
func (hanging) LookPath(string, ...string) (string, error) { return "/usr/bin/VBoxManage", nil }
func (hanging) Run(ctx context.Context, _ host.Cmd) (host.Output, error) {
	<-ctx.Done()
	return host.Output{}, context.Cause(ctx)
}

func TestVBoxManageThatDoesNotEnd(t *testing.T) {
	for situation, tt := range map[string]struct {
		repairing bool
		args      []string
		want      time.Duration
	}{
		"in_a_diagnosis":    {false, vbox.ShowVersion(), 4 * time.Second},
		"in_a_repair":       {true, vbox.ShowVersion(), 30 * time.Second},
		"while_a_vm_starts": {true, vbox.StartVM("dev"), 10 * time.Minute},
		"while_one_saves":   {true, vbox.ControlVM("dev", "savestate"), 10 * time.Minute},
	} {
		t.Run(situation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := New(hanging{}, func() bool { return tt.repairing })
				began := time.Now()
				_, err := v.Run(t.Context(), tt.args)
				if took := time.Since(began); took != tt.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v after %s, want %s", err, took, tt.want)
				}
			})
		})
	}
}

func TestAVMIsFoundByItsNameWhereItsUUIDIsNotKnown(t *testing.T) {
	v, _ := on(t, debian+`-- $ VBoxManage showvminfo 1111 --machinereadable => exit 1 --
-- stderr --
VBoxManage: error: Could not find a registered machine named '1111'
-- $ VBoxManage showvminfo 2222 --machinereadable => exit 1 --
-- stderr --
VBoxManage: error: Could not find a registered machine named '2222'
-- $ VBoxManage showvminfo dev --machinereadable --
name="dev"
UUID="1111"
VMState="poweroff"
`)
	vm, err := v.LookUpRef(t.Context(), vbox.VMRef{Name: "dev", UUID: "1111"})
	if diff := cmp.Diff(vbox.VM{Name: "dev", UUID: "1111", State: vbox.PowerOff}, vm); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if vm, err := v.LookUpRef(t.Context(), vbox.VMRef{Name: "dev", UUID: "2222"}); err == nil {
		t.Errorf("another VM of the same name is taken for it: %+v", vm)
	}
}

func TestTheMachinesVM(t *testing.T) {
	const missing = "-- $ VBoxManage showvminfo dev --machinereadable => exit 1 --\n-- stderr --\nVBoxManage: error: Could not find a registered machine named 'dev'\n"
	const broken = "-- $ VBoxManage showvminfo dev --machinereadable => exit 1 --\n-- stderr --\nVBoxManage: error: Failed to create the VirtualBox object!\n"
	showing := func(state string) string {
		return "-- $ VBoxManage showvminfo dev --machinereadable --\nname=\"dev\"\nVMState=\"" + state + "\"\n"
	}
	type answers struct {
		Running, Missing, Failed bool
		State                    string
	}
	for situation, tt := range map[string]struct {
		transcript, driver string
		want               answers
	}{
		"runs":              {showing("running"), "virtualbox", answers{Running: true, State: StateRunning}},
		"is_off":            {showing("poweroff"), "virtualbox", answers{State: "poweroff"}},
		"is_not_known":      {missing, "virtualbox", answers{Missing: true, State: StateMissing}},
		"cannot_be_asked":   {broken, "virtualbox", answers{Failed: true, State: StateUnknown}},
		"of_another_driver": {"", "generic", answers{Running: true, State: StateUnknown}},
	} {
		t.Run(situation, func(t *testing.T) {
			v, c := on(t, debian+tt.transcript)
			entry := dev()
			entry.Driver = tt.driver
			m := v.Machine(entry)
			running, err := m.Running(t.Context())
			got := answers{running, m.Missing(t.Context()), err != nil, m.StateText(t.Context())}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(c.Ran()) > 1 {
				t.Errorf("asked more than once: %q", c.Ran())
			}
		})
	}
}

// The NICs of boot2docker's VM are eth0 (NAT) and eth1 (host-only), in the order of
// their slots; a slot in between that is not used does not count.
func TestTheGuestsOwnAddress(t *testing.T) {
	const vm = `-- $ VBoxManage showvminfo dev --machinereadable --
name="dev"
VMState="running"
nic1="nat"
nic2="none"
hostonlyadapter3="vboxnet0"
nic3="hostonly"
-- $ VBoxManage guestproperty get dev /VirtualBox/GuestInfo/Net/1/V4/IP --
`
	for answer, want := range map[string]struct {
		addr  netip.Addr
		moved bool
	}{
		"Value: 192.168.99.100": {netip.MustParseAddr("192.168.99.100"), false},
		"Value: 192.168.99.101": {netip.MustParseAddr("192.168.99.101"), true},
		"No value set!":         {netip.Addr{}, false},
	} {
		v, _ := on(t, debian+vm+answer+"\n")
		m := v.Machine(dev())
		if got := m.GuestAddr(t.Context()); got != want.addr || m.AddressMoved(t.Context()) != want.moved || m.HostOnlyAdapter(t.Context()) != "vboxnet0" {
			t.Errorf("%s: %v, want %v, moved %t", answer, got, want.addr, want.moved)
		}
	}
}

func TestTheLaptopsAddressInTheMachinesNetwork(t *testing.T) {
	v, _ := on(t, debian)
	for want, entry := range map[string]store.Machine{
		"192.168.99.1/24": dev(),
		"10.20.0.1/16":    {IP: netip.MustParseAddr("10.20.30.40"), HostOnlyCIDR: netip.MustParsePrefix("10.20.0.1/16")},
		"invalid Prefix":  {Host: "docker.example"},
	} {
		if got := v.Machine(entry).LaptopAddr().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTheVMsSettingsFile(t *testing.T) {
	const file = "/store/machines/dev/dev/dev.vbox"
	there, _ := on(t, debian+"-- "+file+" --\n<VirtualBox/>\n")
	gone, _ := on(t, debian)
	if got := []string{there.Machine(dev()).SettingsFile(t.Context()), gone.Machine(dev()).SettingsFile(t.Context())}; !cmp.Equal([]string{file, ""}, got) {
		t.Errorf("%q", got)
	}
}
