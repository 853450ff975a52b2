package forward

import (
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

var findings engine.Table

var (
	doesNotApply  = findings.OK("forward.ok", "a NAT rule does not apply to this driver")
	rulePresent   = findings.OK("forward.ok", "NAT rule %s: 127.0.0.1:%d -> VM port %d")
	natMissing    = findings.Fail("forward.nat-missing", "no network adapter of the VM is attached to NAT, so no port can be forwarded", nil)
	natUnneeded   = findings.Warn("forward.nat-missing", "no network adapter of the VM is attached to NAT, so no port can be forwarded"+untilVPN, nil)
	ruleMissing   = findings.Fail("forward.rule-missing", "no NAT rule for port %d of the VM%s", hint.Fix())
	ruleUnneeded  = findings.Warn("forward.rule-missing", "no NAT rule for port %d of the VM%s"+untilVPN, hint.Fix())
	portTaken     = findings.Fail("forward.port-taken", "NAT rule %s wants 127.0.0.1:%d, which belongs to %s", hint.Fix())
	noPort        = findings.Fail("forward.port-taken", "%s", nil)
	openToNetwork = findings.Warn("forward.open-to-network", "NAT rule %s listens on %s, port %d: others in the network reach dockerd's port", nil)
)

// untilVPN is what a missing NAT rule means while docker works without one.
const untilVPN = ": dockerd answers at the host-only address, until a VPN takes it away"

func (s State) Findings() []engine.Finding {
	switch {
	case !s.Applies:
		return []engine.Finding{doesNotApply.Found()}
	case s.NoVM:
		return nil
	case s.NoNAT && s.HostOnlyWorks:
		return []engine.Finding{natUnneeded.Advising(s.attachNAT()).Found()}
	case s.NoNAT:
		return []engine.Finding{s.demanded(natMissing.Advising(s.attachNAT()))}
	}
	var out []engine.Finding
	for _, r := range s.Open {
		at := r.HostIP
		if at == "" || at == "0.0.0.0" {
			at = "every address of the laptop"
		}
		out = append(out, openToNetwork.Found(r.Name, at, r.HostPort))
	}
	return append(out, s.rule())
}

// rule returns the finding about the rule to dockerd.
func (s State) rule() engine.Finding {
	alone := ""
	if len(s.Open) > 0 {
		alone = " on 127.0.0.1 alone"
	}
	switch {
	case s.NoPort != "" && s.NextPort != 0:
		return s.demanded(noPort.Advising(hint.Fix("--port", strconv.Itoa(s.NextPort))), s.NoPort)
	case s.NoPort != "":
		return s.demanded(noPort, s.NoPort)
	case len(s.Rules) == 0 && s.HostOnlyWorks:
		return ruleUnneeded.Found(s.GuestPort, alone)
	case len(s.Rules) == 0:
		return ruleMissing.Found(s.GuestPort, alone)
	case s.TakenBy != "":
		return portTaken.Found(s.Rules[0].Name, s.Rules[0].HostPort, s.TakenBy)
	}
	return rulePresent.Found(s.Rules[0].Name, s.Rules[0].HostPort, s.Rules[0].GuestPort)
}

func (s State) demanded(d engine.Definition, evidence ...any) engine.Finding {
	d.Demanded = s.Demanded
	return d.Found(evidence...)
}

// attachNAT attaches a network adapter of the VM to NAT, which VirtualBox does only while the VM is
// off. A saved VM is resumed first, so that what runs in it can be stopped properly.
func (s State) attachNAT() hint.Hint {
	attach := hint.VBoxManage(vbox.UseNAT(s.VM, s.Slot)...).Then("&&", hint.Fix())
	stop := hint.DockerMachine("stop", hint.Machine).Then("&&", attach)
	switch {
	case s.VMSaved:
		return hint.VBoxManage(vbox.StartVM(s.VM)...).Then("&&", stop)
	case s.VMLive:
		return stop
	}
	return attach
}

func (s State) BlockedBy() string {
	if s.NoVM {
		return "machine"
	}
	return ""
}

func (s State) Changes() []engine.Change {
	if s.Port == 0 {
		return nil
	}
	return []engine.Change{&vmchange.AddRule{VM: s.VM, UUID: s.UUID, Slot: s.Slot, Port: s.Port, Demanded: s.Demanded, GuestPort: s.GuestPort, Old: s.Old}}
}
