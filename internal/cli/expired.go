package cli

import (
	"context"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// closeExpired closes the newest journal, and returns it, if its change was not confirmed in time:
// the docker host has reverted it, so there is nothing to undo. Otherwise it returns nil.
func closeExpired(ctx context.Context, s *engine.Session) (closed *journal.Journal, err error) {
	all, err := s.Journals(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	newest := all[len(all)-1]
	if newest.End != journal.Done || len(newest.Entries) != 1 {
		return nil, nil
	}
	c, ok := newest.Entries[0].Change.(*hostchange.InstallRules)
	if !ok || s.Target.Host == nil {
		return nil, nil
	}
	expired, err := c.Expired(ctx, s.Target)
	if err != nil || !expired {
		return nil, err
	}
	if err := newest.Reopen(ctx); err != nil {
		return nil, err
	}
	return newest, newest.Close(ctx, journal.RolledBack)
}

// undoExpired is closeExpired for undo. If it returns a run, undo does not undo an older one
// instead. It ignores errors of the docker host, because undo itself reports them.
func (a *app) undoExpired(s *engine.Session, ref target.Ref) []undoRun {
	defer s.Target.Enter(mode.Repair())()
	closed, err := closeExpired(a.ctx, s)
	if err != nil || closed == nil {
		return nil
	}
	a.ui.Say("[%s] %s was not confirmed in time, and the docker host has reverted it by itself: nothing is left to undo of it", ref.Arg(), strings.Join(closed.Changes(), ", "))
	return []undoRun{describe(ref, closed)}
}
