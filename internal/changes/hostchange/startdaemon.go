package hostchange

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// StartDaemon starts dockerd on a machine where it is not running.
type StartDaemon struct{ Machine string }

func (c *StartDaemon) About() engine.About {
	return engine.About{
		Kind:      "start-dockerd",
		Doing:     "starting dockerd",
		Permanent: "dockerd is running now; neither a rollback nor undo stops it again",
	}
}

func (c *StartDaemon) String() string { return "start dockerd on " + c.Machine }

func (c *StartDaemon) Backup(context.Context, *target.Target) error { return nil }

func (c *StartDaemon) Apply(ctx context.Context, t *target.Target) error {
	facts, err := t.Guest.Facts(ctx)
	if err != nil {
		return err
	}
	r, err := t.Guest.StartDaemon(ctx, facts)
	if err != nil {
		return err
	}
	t.Guest.ReportContainers(r)
	return r.Err(c.Machine)
}

// Revert does nothing: dockerd keeps running.
func (c *StartDaemon) Revert(context.Context, *target.Target) ([]string, error) { return nil, nil }
