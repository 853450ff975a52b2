package hostchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// InstallRules puts a set of files in place that loads packet filters on the docker host, or
// takes one away.
type InstallRules struct {
	// Plan is what the user reads of the change, "close published ports to eth0 …".
	Plan string `json:"plan"`
	// New is the set; nil takes Gone away, and keeps Saved for later.
	New   *hostrules.Set `json:"new"`
	Gone  *hostrules.Set `json:"gone"`
	Saved string         `json:"saved"`
	// Old is the set that lasted before; nil: none did.
	Old *hostrules.Set `json:"old"`
	// Token names the change on the docker host while it is not confirmed.
	Token string `json:"token"`
	// Within is how long the docker host waits for the confirmation; 0: none is needed.
	Within time.Duration `json:"within"`
	// ByUser reports that the user confirms it, by a command of its own; else Apply does so,
	// over a new connection.
	ByUser bool `json:"by_user"`
	// Check is asked whether the rules do what they are for, before they are confirmed. It
	// may be nil.
	Check func(context.Context, *target.Target) error `json:"-"`

	refused error // a new connection was not possible, so that the docker host reverts by itself
}

func (c *InstallRules) name() string {
	switch {
	case c.New != nil:
		return c.New.Name
	case c.Gone != nil:
		return c.Gone.Name
	}
	return ""
}

func (c *InstallRules) About() engine.About {
	a := engine.About{Kind: "install-rules", NeedsDockerHost: true, KeepsAnswers: true, Doing: "loading the rules of " + c.name()}
	if c.New == nil {
		a.Doing = "removing the rules of " + c.name()
	}
	return a
}

func (c *InstallRules) String() string { return c.Plan }

func (c *InstallRules) Backup(ctx context.Context, t *target.Target) error {
	s, err := hostrules.Read(ctx, t.Host, c.name())
	c.Old = s.Installed
	return err
}

func (c *InstallRules) Apply(ctx context.Context, t *target.Target) error {
	if c.New == nil {
		return hostrules.Remove(ctx, t.Host, *c.Gone, c.Saved)
	}
	if err := hostrules.Install(ctx, t.Host, *c.New, c.Token, c.Within); err != nil {
		return err
	}
	if c.Within == 0 || c.ByUser {
		return c.check(ctx, t)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Within)
	defer cancel()
	again, err := t.Again(ctx)
	if err != nil {
		return err
	}
	defer again.Close()
	if _, err := again.Host.Run(ctx, host.Cmd{Argv: []string{"true"}}); err != nil {
		c.refused = err
		return fmt.Errorf("with these rules no new connection to %s is possible: %w", t.Name(), err)
	}
	if err := c.check(ctx, again); err != nil {
		return err
	}
	return hostrules.Confirm(ctx, again.Host, c.name(), c.Token)
}

func (c *InstallRules) check(ctx context.Context, t *target.Target) error {
	if c.Check == nil {
		return nil
	}
	return c.Check(ctx, t)
}

// Revert restores what lasted before, unless it was changed by another program since. A
// docker host that cannot be reached because of the change reverts it by itself.
func (c *InstallRules) Revert(ctx context.Context, t *target.Target) (left []string, err error) {
	s, err := hostrules.Read(ctx, t.Host, c.name())
	switch {
	case err != nil && c.refused != nil && !errors.Is(err, host.ErrNoSudo):
		return []string{fmt.Sprintf("%s cannot be reached: it removes the rules by itself, within %s", t.Name(), c.Within)}, nil
	case err != nil:
		return nil, err
	case s.Pending != nil && s.Pending.Token == c.Token:
		return nil, hostrules.Revert(ctx, t.Host, c.name(), c.Token)
	case s.Installed.Equal(c.Old):
		return nil, nil
	case !s.Installed.Between(c.Old, c.New):
		return []string{s.Dir + " was changed since, and stays"}, nil
	case c.Old != nil:
		return nil, hostrules.Install(ctx, t.Host, *c.Old, c.Token, 0)
	}
	return nil, hostrules.Remove(ctx, t.Host, *c.New, "")
}

// Expired reports whether the docker host has reverted the change by itself: the user did not
// confirm it in time.
func (c *InstallRules) Expired(ctx context.Context, t *target.Target) (bool, error) {
	if !c.ByUser || c.Within == 0 || c.New == nil || c.New.Equal(c.Old) {
		return false, nil
	}
	s, err := hostrules.Read(ctx, t.Host, c.name())
	return err == nil && s.Pending == nil && s.Installed.Equal(c.Old), err
}

// CheckUndo is nil if the docker host answers, and root's rights can be had there.
func (c *InstallRules) CheckUndo(ctx context.Context, t *target.Target) error {
	_, err := hostrules.Read(ctx, t.Host, c.name())
	return err
}
