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

var findings engine.Table

var (
	running     = findings.OK("machine.ok", "VM running")
	otherDriver = findings.OK("machine.ok", "driver %s: its state is not asked, a NAT rule does not apply")
	noVM        = findings.Warn("machine.driver-unsupported", "driver %q has no VM and no SSH: only what answers at its address can be looked at", nil)

	configUnreadable  = findings.Fail("machine.config-unreadable", "%s", hint.Explain("machine.config-unreadable"))
	withoutDocker     = findings.Fail("machine.without-docker", "rancher-machine made this machine with a custom install script, so that it has installed no docker and made no certificate for one", hint.Explain("machine.without-docker"))
	appleSilicon      = findings.Fail("machine.apple-silicon", "this Mac has an Apple chip, on which VirtualBox runs no boot2docker: its VM is for Intel processors", hint.Shell("brew install colima docker && colima start"))
	virtualBoxMissing = findings.Fail("machine.virtualbox-missing", "VirtualBox is not installed, or VBoxManage is not in PATH", hint.Explain("machine.virtualbox-missing"))
	vboxManageMissing = findings.Warn("machine.virtualbox-missing", "VirtualBox is not installed, or VBoxManage is not in PATH; dockerd answers all the same", hint.Explain("machine.virtualbox-missing"))
	beingCreated      = findings.Fail("machine.create-unfinished", "docker-machine (PID %d) runs and may still be creating machine %q: %s", hint.Own("doctor", hint.Machine))
	createUnfinished  = findings.Fail("machine.create-unfinished", "docker-machine create did not finish machine %q: %s", nil)

	missing       = findings.Fail("machine.missing", "machine %q is in the store, and VirtualBox does not know a VM of that name%s", hint.VBoxManage("list", "vms"))
	otherUser     = findings.Fail("machine.other-user", "VM %s is not registered with this user's VirtualBox, and another user's runs (pid %d)", nil)
	unregistered  = findings.Fail("machine.inaccessible", "VirtualBox has no VM %q, but one whose settings it cannot read: %s", listInFull)
	inaccessible  = findings.Fail("machine.inaccessible", "VirtualBox cannot read the VM's settings", listInFull)
	oldAdapter    = findings.Fail("machine.adapter-unsupported", "VM is %s, and VirtualBox %s on macOS does not start it: it is on a host-only adapter, of which there are only networks now%s", nil)
	noModules     = findings.Fail("machine.driver-not-loaded", "VirtualBox's kernel modules are not loaded, and %s", hint.Explain("machine.driver-not-loaded"))
	modulesNeeded = findings.Fail("machine.driver-not-loaded", "VirtualBox's kernel modules are not loaded, so that no VM can start", hint.Own("modules", "restart"))
	stuck         = findings.Fail("machine.stuck", "VM has stopped with a guru meditation, which only a power-off ends", nil)
	notRunning    = findings.Fail("machine.not-running", "VM is %s", hint.Fix())

	rangeRefused   = findings.Warn("machine.range-refused", "VirtualBox %s refuses %s on a host-only adapter: %s does not allow it", nil)
	addressChanged = findings.Warn("machine.address-changed", "the docker host has the address %s now; config.json still has %s", hint.Explain("machine.address-changed"))
	natAddress     = findings.Warn("machine.address-changed", "config.json has %s, the address of VirtualBox's NAT, which reaches nothing from outside the VM%s", hint.Explain("machine.address-changed"))
)

// listInFull prints why VirtualBox cannot read a VM's settings. showvminfo of 7.2 prints only "The
// object functionality is limited".
var listInFull = hint.VBoxManage("list", "-l", "vms")

func (s State) Findings() []engine.Finding {
	if f, ok := s.unusable(); ok {
		return []engine.Finding{f}
	}
	out := []engine.Finding{s.power()}
	if s.Refused.IsValid() {
		f := rangeRefused.Advising(s.Allow.Hint()).Found(s.Version, s.Refused, installation.NetworksConfPath)
		if s.Kept { // it is not the cause of anything that is wrong now
			f.Weight = engine.Aside
		}
		out = append(out, f)
	}
	if s.Known.IsValid() {
		out = append(out, s.address())
	}
	return out
}

// unusable returns the finding that there is no VM to inspect; ok is false if there is one.
func (s State) unusable() (f engine.Finding, ok bool) {
	switch {
	case s.ConfigErr != "":
		return configUnreadable.Found(s.ConfigErr), true
	case s.CustomInstall:
		return withoutDocker.Found(), true
	case s.Driver == "none" || s.Driver == "":
		return noVM.Found(s.Driver), true
	case !s.VirtualBox:
		return otherDriver.Found(s.Driver), true
	case s.AppleSilicon:
		return appleSilicon.Found(), true
	case s.NoVBoxManage && s.Verified:
		return vboxManageMissing.Found(), true
	case s.NoVBoxManage:
		return virtualBoxMissing.Found(), true
	case s.CreateUnfinished && s.Creator != 0:
		return beingCreated.Found(s.Creator, s.Name, strings.Join(s.Lacks, ", ")), true
	case s.CreateUnfinished:
		return createUnfinished.Advising(hint.CreateAgain(s.DockerMachine)).Found(s.Name, strings.Join(s.Lacks, ", ")), true
	case !s.Missing:
		return f, false
	case s.Foreign != 0 && s.Settings != "":
		return otherUser.Advising(hint.Shell(fmt.Sprintf("ps -o user= -p %d", s.Foreign))).Found(s.Name, s.Foreign), true
	case s.Unreadable != "":
		return unregistered.Found(s.Name, s.Unreadable), true
	case s.Settings != "":
		return missing.Advising(hint.VBoxManage("registervm", s.Settings)).Found(s.Name, ", although its files are there"), true
	}
	return missing.Found(s.Name, ""), true
}

// address returns what is wrong with the address in config.json.
func (s State) address() engine.Finding {
	wrong, evidence := addressChanged, []any{s.Now, s.Known}
	switch {
	case s.NATAddress && s.Now.IsValid():
		wrong, evidence = natAddress, []any{s.Known, fmt.Sprintf("; the docker host has the address %s", s.Now)}
	case s.NATAddress:
		wrong, evidence = natAddress, []any{s.Known, ""}
	}
	return wrong.Found(evidence...)
}

// power returns the finding about the VM's power state, and what keeps it from starting.
func (s State) power() engine.Finding {
	switch {
	case s.VM == vbox.Running:
		return running.Found()
	case s.OldAdapter:
		lost := ""
		if s.VM.HasSavedState() {
			lost = "; moving it to a network throws its saved state away"
		}
		return oldAdapter.Advising(s.networkHint()).Found(s.VM, s.Version, lost)
	case s.NoDriver && s.NoModules != "":
		return noModules.Found(s.NoModules)
	case s.NoDriver:
		return modulesNeeded.Found()
	case s.VM == vbox.Stuck || s.VM == "stuck":
		return stuck.Advising(hint.VBoxManage("controlvm", s.Name, "poweroff").Then("&&", hint.Fix())).Found()
	case s.VM == vbox.Inaccessible:
		return inaccessible.Found()
	case len(s.Changes()) == 0 && s.VM != vbox.Saving && s.VM != vbox.Stopping:
		return notRunning.Advising(hint.VBoxManage("showvminfo", s.UUID)).Found(s.VM)
	}
	return notRunning.Found(s.VM)
}

// networkHint moves the VM to a host-only network in which the laptop keeps the address that it had
// on the adapter. A network that would give it another address is changed first: with the lowest
// address of its range, the laptop might take the VM's own.
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
	if s.VM.HasSavedState() {
		run(vbox.DiscardState(s.Name))
	}
	run(vbox.UseHostOnlyNet(s.Name, s.Slot, network))
	return next.Then("", hint.Fix())
}

// newNetwork returns a name that no host-only network has yet.
func (s State) newNetwork() string {
	name := "docker-machine"
	for n := 2; slices.ContainsFunc(s.Networks, func(other vbox.HostOnlyNet) bool { return other.Name == name }); n++ {
		name = fmt.Sprintf("docker-machine-%d", n)
	}
	return name
}
