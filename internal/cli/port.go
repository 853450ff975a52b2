package cli

import (
	"errors"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// checkPort refuses a --port that the NAT rule cannot have, before anything is changed.
func (a *app) checkPort(w *target.Target, f fixFlags) error {
	f.wish(w)
	err := changes.CheckPort(a.ctx, w)
	w.Forget()
	var unusable *virtualbox.PortError
	if errors.As(err, &unusable) && f.create && unusable.Next != 0 {
		unusable.Hint = w.Hint(hint.Fix("--create", "--port", strconv.Itoa(unusable.Next)))
	}
	return a.cause(err)
}

// portUnused tells the user where --port made no difference.
func (a *app) portUnused(w *target.Target) {
	if e := w.Endpoints.Target(a.ctx); w.Port != 0 && !e.Planned && e.Host != "" && e.Port != w.Port {
		a.ui.Say("[%s] --port %d is not used: dockerd already answers at %s", w.Machine.Name, w.Port, e.URL())
	}
}

// wish hands the flags over.
func (f fixFlags) wish(w *target.Target) {
	w.Port, w.Reissue, w.StopVMs, w.AcceptHostKey = f.port, f.reissue, f.stopVMs, f.acceptHostKey
}
