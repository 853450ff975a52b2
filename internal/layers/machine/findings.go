package machine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

func (s State) Findings() []engine.Finding {
	one := func(code string, status engine.Status, title string, next hint.Hint) []engine.Finding {
		return []engine.Finding{{Code: code, Status: status, Title: title, Hint: next}}
	}
	switch {
	case s.ConfigErr != "":
		return one("machine.config-unreadable", engine.Fail, s.ConfigErr, hint.Explain("machine.config-unreadable"))
	case s.CustomInstall:
		return one("machine.without-docker", engine.Fail,
			"rancher-machine made this machine with a custom install script, so that it has installed no docker and made no certificate for one",
			hint.Explain("machine.without-docker"))
	case s.Driver == "none" || s.Driver == "":
		return one("machine.driver-unsupported", engine.Warn,
			fmt.Sprintf("driver %q has no VM and no SSH: only what answers at its address can be looked at", s.Driver), nil)
	case !s.VirtualBox:
		return one("machine.ok", engine.OK, fmt.Sprintf("driver %s: its state is not asked, a NAT rule does not apply", s.Driver), nil)
	case s.AppleSilicon:
		return one("machine.apple-silicon", engine.Fail,
			"this Mac has an Apple chip, on which VirtualBox runs no boot2docker: its VM is for Intel processors",
			hint.Shell("brew install colima docker && colima start"))
	case s.NoVBoxManage:
		status, title := engine.Fail, "VirtualBox is not installed: VBoxManage is neither in PATH nor where VirtualBox installs it"
		if s.Proven {
			status, title = engine.Warn, "VBoxManage is neither in PATH nor where VirtualBox installs it; dockerd answers all the same"
		}
		return one("machine.virtualbox-missing", status, title, hint.Explain("machine.virtualbox-missing"))
	case s.Unfinished && s.Creator != 0:
		return one("machine.create-unfinished", engine.Fail,
			fmt.Sprintf("docker-machine (PID %d) runs and may still be creating machine %q: %s", s.Creator, s.Name, strings.Join(s.Lacks, ", ")), hint.Own("doctor", hint.Machine))
	case s.Unfinished:
		return one("machine.create-unfinished", engine.Fail,
			fmt.Sprintf("docker-machine create did not finish machine %q: %s", s.Name, strings.Join(s.Lacks, ", ")), hint.CreateAgain(s.DockerMachine))
	case s.Missing:
		return s.missing()
	}
	out := s.power()
	add := func(code string, weight engine.Weight, title string, next hint.Hint) {
		out = append(out, engine.Finding{Code: code, Status: engine.Warn, Weight: weight, Title: title, Hint: next})
	}
	if s.Refused.IsValid() {
		weight := engine.Plain
		if s.Kept { // it explains nothing that is wrong now
			weight = engine.Aside
		}
		add("machine.range-refused", weight, fmt.Sprintf("VirtualBox %s refuses %s on a host-only adapter: %s does not allow it", s.Version, s.Refused, installation.NetworksConfPath),
			s.AllowHint)
	}
	if s.Known.IsValid() {
		next := hint.DockerMachine("ip", hint.Machine)
		if s.HostOnlyNetwork { // of which docker-machine knows nothing
			next = hint.Explain("machine.address-changed")
		}
		add("machine.address-changed", engine.Plain, s.addressChanged(), next)
	}
	return out
}

// addressChanged is what is wrong with the address in config.json.
func (s State) addressChanged() string {
	switch {
	case !s.NATAddress:
		return fmt.Sprintf("the docker host has the address %s now; config.json still has %s", s.Now, s.Known)
	case s.Now.IsValid():
		return fmt.Sprintf("config.json has %s, the address of VirtualBox's NAT, which reaches nothing from outside the VM; the docker host has the address %s", s.Known, s.Now)
	}
	return fmt.Sprintf("config.json has %s, the address of VirtualBox's NAT, which reaches nothing from outside the VM", s.Known)
}

// power is how the VM stands, and what keeps it from starting.
func (s State) power() []engine.Finding {
	one := func(code, title string, next hint.Hint) []engine.Finding {
		return []engine.Finding{{Code: code, Status: engine.Fail, Title: title, Hint: next}}
	}
	switch {
	case s.VM == vbox.Running:
		return []engine.Finding{{Code: "machine.ok", Status: engine.OK, Title: "VM running"}}
	case s.OldAdapter:
		return one("machine.adapter-unsupported",
			fmt.Sprintf("VM is %s, and VirtualBox %s on macOS does not start it: it is on a host-only adapter, of which there are only networks now", s.VM, s.Version),
			s.networkHint())
	case s.NoDriver && s.NoModules != "":
		return one("machine.driver-not-loaded", "VirtualBox's kernel modules are not loaded, and "+s.NoModules, hint.Explain("machine.driver-not-loaded"))
	case s.NoDriver:
		return one("machine.driver-not-loaded", "VirtualBox's kernel modules are not loaded, so that no VM can start", hint.Own("modules", "restart"))
	case s.VM == vbox.Stuck || s.VM == "stuck":
		return one("machine.stuck", "VM has stopped with a guru meditation, which only a power-off ends",
			hint.VBoxManage("controlvm", s.Name, "poweroff").Then("&&", hint.Fix()))
	case s.VM == vbox.Inaccessible:
		return one("machine.inaccessible", "VirtualBox cannot read the VM's settings", hint.VBoxManage("list", "-l", "vms"))
	}
	f := one("machine.not-running", fmt.Sprintf("VM is %s", s.VM), hint.Fix())
	if len(s.Changes()) == 0 && s.VM != vbox.Saving && s.VM != vbox.Stopping {
		f[0].Hint = hint.VBoxManage("showvminfo", s.UUID)
	}
	return f
}

// networkHint moves the VM to a host-only network on which the laptop has the address that
// it had on the adapter. A network that gives it another one is changed before: with the
// lowest address of its range the laptop might take the VM's own.
func (s State) networkHint() hint.Hint {
	if !s.Laptop.IsValid() || s.NoNetworks {
		return hint.Explain("machine.adapter-unsupported")
	}
	var next hint.Hint
	run := func(args []string) { next = next.Then("", hint.VBoxManage(args...)) }
	gives := func(n vbox.HostOnlyNet) bool { return n.Gives(s.Laptop) }
	overlaps := func(n vbox.HostOnlyNet) bool { return n.Overlaps(s.Laptop) }
	var network string
	if i := slices.IndexFunc(s.Networks, gives); i >= 0 {
		network = s.Networks[i].Name
	} else if i := slices.IndexFunc(s.Networks, overlaps); i >= 0 {
		network = s.Networks[i].Name
		run(vbox.MoveHostOnlyNet(network, s.Laptop))
	} else {
		network = s.newNetwork()
		run(vbox.AddHostOnlyNet(network, s.Laptop))
	}
	run(vbox.UseHostOnlyNet(s.Name, s.Slot, network))
	return next.Then("", hint.Fix())
}

// newNetwork is a name that no host-only network has.
func (s State) newNetwork() string {
	name := "docker-machine"
	for n := 2; slices.ContainsFunc(s.Networks, func(other vbox.HostOnlyNet) bool { return other.Name == name }); n++ {
		name = fmt.Sprintf("docker-machine-%d", n)
	}
	return name
}

// missing says what became of a VM that is unknown to VirtualBox.
func (s State) missing() []engine.Finding {
	f := engine.Finding{Code: "machine.missing", Status: engine.Fail,
		Title: fmt.Sprintf("machine %q is in the store, and VirtualBox does not know a VM of that name", s.Name),
		Hint:  hint.VBoxManage("list", "vms")}
	switch {
	case s.Foreign != 0 && s.Settings != "":
		f.Code = "machine.other-user"
		f.Title = fmt.Sprintf("VM %s is not registered with this user's VirtualBox, and another user's runs (pid %d)", s.Name, s.Foreign)
		f.Hint = hint.Shell(fmt.Sprintf("ps -o user= -p %d", s.Foreign))
	case s.Unreadable != "":
		f.Code = "machine.inaccessible"
		f.Title = fmt.Sprintf("VirtualBox has no VM %q, but one whose settings it cannot read: %s", s.Name, s.Unreadable)
		// Its reason stands in the list alone: showvminfo of 7.2 prints "The object functionality is limited".
		f.Hint = hint.VBoxManage("list", "-l", "vms")
	case s.Settings != "":
		f.Title += ", although its files are there"
		f.Hint = hint.VBoxManage("registervm", s.Settings)
	}
	return []engine.Finding{f}
}
