package cli

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
)

// closeExpired closes the newest journal if its change was not confirmed in time: the docker
// host has reverted it by itself, and there is nothing to undo.
func closeExpired(ctx context.Context, s *engine.Session) error {
	all, err := s.Journals(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	newest := all[len(all)-1]
	if newest.End != journal.Done || len(newest.Entries) != 1 {
		return nil
	}
	c, ok := newest.Entries[0].Change.(*changes.InstallRules)
	if !ok {
		return nil
	}
	expired, err := c.Expired(ctx, s.Target)
	if err != nil || !expired {
		return err
	}
	if err := newest.Reopen(ctx); err != nil {
		return err
	}
	return newest.Close(ctx, journal.RolledBack)
}
