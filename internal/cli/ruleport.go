package cli

import (
	"errors"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// checkPort returns an error if the NAT rule cannot have the port of --port.
func (a *app) checkPort(t *target.Target, f fixFlags) error {
	if f.port == 0 || !t.Machine.VirtualBox() {
		return nil
	}
	if e, ok := t.Endpoints.VerifiedRecord(a.ctx); ok && e.Port == f.port {
		return nil
	}
	err := t.VM.CheckPort(a.ctx, f.port, t.Network)
	t.Forget()
	var unusable *virtualbox.PortError
	if errors.As(err, &unusable) && unusable.Next != 0 {
		flags := []string{"--port", strconv.Itoa(unusable.Next)}
		if f.create {
			flags = append([]string{"--create"}, flags...)
		}
		unusable.Hint = t.Hint(hint.Fix(flags...))
	}
	return a.cause(err)
}

// portUnused prints a note if --port made no difference.
func (a *app) portUnused(t *target.Target) {
	if e := t.Endpoints.ForDocker(a.ctx); t.RulePort != 0 && !e.Planned && e.Host != "" && e.Port != t.RulePort {
		a.ui.Say("[%s] --port %d is not used: dockerd already answers at %s", t.Machine.Name, t.RulePort, e.URL())
	}
}

// setOn copies the flags to the Target, where the layers read them.
func (f fixFlags) setOn(t *target.Target) {
	t.RulePort, t.Reissue, t.StopVMs, t.AcceptHostKey = f.port, f.reissue, f.stopVMs, f.acceptHostKey
}
