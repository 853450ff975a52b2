package fakevbox

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

func (m *manager) showVMInfo(args []string) error {
	name, readable := "", false
	for _, a := range args {
		switch a {
		case "--machinereadable", "-machinereadable":
			readable = true
		case "--details", "--password-id":
		default:
			name = cmp.Or(name, a)
		}
	}
	w, vm, err := m.vm(name)
	if err != nil {
		return err
	}
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format+"\n", a...) }
	if !readable {
		p("Name:            %s\nUUID:            %s\nState:           %s (since %s)", vm.Name, vm.UUID, vm.State, vm.Changed.Format("2006-01-02T15:04:05.000000000"))
		return nil
	}
	if w.version() >= 70200 {
		m.showReadable72(w, vm)
		return nil
	}
	dir := filepath.Dir(vm.CfgFile)
	os := "Linux 2.6 / 3.x / 4.x (64-bit)"
	if w.version() < 50000 {
		os = "Linux 2.6 (64 bit)"
	}
	p("name=%q", escaped(vm.Name))
	p(`groups="/"`)
	p("ostype=%q", raw(os))
	p("UUID=%q", raw(vm.UUID))
	p("CfgFile=%q", escaped(vm.CfgFile))
	p("SnapFldr=%q", raw(filepath.Join(dir, "Snapshots")))
	p("LogFldr=%q", raw(filepath.Join(dir, "Logs")))
	p("hardwareuuid=%q", raw(vm.UUID))
	p("memory=%d", vm.Memory)
	p("pagefusion=\"off\"\nvram=8\ncpuexecutioncap=100\nhpet=\"on\"\nchipset=\"piix3\"\nfirmware=\"BIOS\"")
	p("cpus=%d", vm.CPUs)
	p("pae=\"on\"\nlongmode=\"on\"\nboot1=\"dvd\"\nboot2=\"dvd\"\nboot3=\"disk\"\nboot4=\"none\"\nacpi=\"on\"\nioapic=\"on\"")
	p("VMState=%q", raw(vm.State))
	p("VMStateChangeTime=%q", raw(vm.Changed.UTC().Format("2006-01-02T15:04:05.000000000")))
	p("monitorcount=1\naccelerate3d=\"off\"\nstoragecontrollername0=\"SATA\"\nstoragecontrollertype0=\"IntelAhci\"")
	for _, slot := range slices.Sorted(maps.Keys(vm.Media)) {
		p("\"SATA-%s\"=%q", slot, raw(vm.Media[slot]))
	}
	for i := range 8 {
		var nic NIC
		if i < len(vm.NICs) {
			nic = vm.NICs[i]
		}
		m.nicInfo(w, i+1, nic)
	}
	p("hidpointing=\"ps2mouse\"\nhidkeyboard=\"ps2kbd\"\nuart1=\"off\"\nuart2=\"off\"\nlpt1=\"off\"\nlpt2=\"off\"\naudio=\"none\"\nclipboard=\"disabled\"\ndraganddrop=\"disabled\"")
	if vm.live() {
		if w.version() < 60000 {
			p(`SessionType="headless"`)
		} else {
			p(`SessionName="headless"`)
		}
		p("VideoMode=\"720,400,0\"@0,0 1")
	}
	p("vrde=\"off\"\nusb=\"off\"\nehci=\"off\"\nxhci=\"off\"")
	if vm.live() {
		p("VRDEActiveConnection=\"off\"\nVRDEClients=0")
	}
	p("vcpenabled=\"off\"\nGuestMemoryBalloon=0")
	return nil
}

// nicInfo prints one adapter. Each adapter's rules are sorted by name and numbered from 0.
func (m *manager) nicInfo(w *VirtualBox, n int, nic NIC) {
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format+"\n", a...) }
	switch nic.Attachment {
	case "", "none":
		p(`nic%d="none"`, n)
		return
	case "nat":
		p(`natnet%d="nat"`, n)
	case "hostonly":
		p(`hostonlyadapter%d=%q`, n, raw(nic.Adapter))
	case "hostonlynetwork":
		p(`hostonly-network%d=%q`, n, raw(nic.Adapter))
	case "bridged":
		p(`bridgeadapter%d=%q`, n, raw(nic.Adapter))
	case "natnetwork":
		p(`nat-network%d=%q`, n, raw(nic.Adapter))
	case "intnet":
		p(`intnet%d=%q`, n, raw(nic.Adapter))
	}
	cable := "on"
	if nic.CableOff {
		cable = "off"
	}
	p("macaddress%[1]d=%[2]q\ncableconnected%[1]d=\"%[3]s\"\nnic%[1]d=\"%[4]s\"\nnictype%[1]d=\"82540EM\"\nnicspeed%[1]d=\"0\"", n, raw(nic.MAC), cable, nic.Attachment)
	if nic.Attachment != "nat" {
		return
	}
	p("mtu=\"0\"\nsockSnd=\"64\"\nsockRcv=\"64\"\ntcpWndSnd=\"64\"\ntcpWndRcv=\"64\"")
	if w.version() >= 70200 {
		p("localhostReachable=\"0\"\nforwardBroadcast=\"0\"\nenableTFTP=\"0\"")
	}
	rules := slices.SortedFunc(slices.Values(nic.Forwards), func(a, b Forward) int { return cmp.Compare(a.Name, b.Name) })
	for i, f := range rules {
		p(`Forwarding(%d)="%s,%s,%s,%d,%s,%d"`, i, f.Name, f.Proto, f.HostIP, f.HostPort, f.GuestIP, f.GuestPort)
	}
}
