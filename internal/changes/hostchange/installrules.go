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

// InstallRules installs a set of files that load packet filters on the docker host, or removes one.
type InstallRules struct {
	// Plan describes the change: "close published ports to eth0 …".
	Plan string `json:"plan"`
	// New is the set to install. If it is nil, Remove is removed; Saved is text that the docker
	// host keeps for a later installation.
	New    *hostrules.Set `json:"new"`
	Remove *hostrules.Set `json:"gone"`
	Saved  string         `json:"saved"`
	// Old is the set that was installed before; nil if there was none.
	Old *hostrules.Set `json:"old"`
	// Token identifies the change on the docker host until it is confirmed.
	Token string `json:"token"`
	// ConfirmWithin is how long the docker host waits for a confirmation before it reverts the
	// change; 0 if none is needed.
	ConfirmWithin time.Duration `json:"within"`
	// UserConfirms means that the user confirms the change with another command. Otherwise Apply
	// confirms it over a new connection.
	UserConfirms bool `json:"by_user"`
	// Check returns an error if the rules do not do what they are for. It is called before the
	// change is confirmed; it may be nil.
	Check func(context.Context, *target.Target) error `json:"-"`

	unreachable error // why no new connection was possible; the docker host then reverts the change by itself
}

// name returns the name of the set.
func (c *InstallRules) name() string {
	switch {
	case c.New != nil:
		return c.New.Name
	case c.Remove != nil:
		return c.Remove.Name
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
		return hostrules.Remove(ctx, t.Host, *c.Remove, c.Saved)
	}
	if err := hostrules.Install(ctx, t.Host, *c.New, c.Token, c.ConfirmWithin); err != nil {
		return err
	}
	if c.ConfirmWithin == 0 || c.UserConfirms {
		return c.check(ctx, t)
	}
	ctx, cancel := context.WithTimeout(ctx, c.ConfirmWithin)
	defer cancel()
	again, err := t.Again(ctx)
	if err != nil {
		return err
	}
	defer again.Close()
	if _, err := again.Host.Run(ctx, host.Cmd{Argv: []string{"true"}}); err != nil {
		c.unreachable = err
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

// Revert restores the set that was installed before, unless another program has changed it since.
// If the docker host cannot be reached because of the change, it reverts it by itself.
func (c *InstallRules) Revert(ctx context.Context, t *target.Target) (left []string, err error) {
	s, err := hostrules.Read(ctx, t.Host, c.name())
	switch {
	case err != nil && c.unreachable != nil && !errors.Is(err, host.ErrNoSudo):
		return []string{fmt.Sprintf("%s cannot be reached: it removes the rules by itself, within %s", t.Name(), c.ConfirmWithin)}, nil
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

// Expired reports whether the docker host has reverted the change by itself because the user did
// not confirm it in time.
func (c *InstallRules) Expired(ctx context.Context, t *target.Target) (bool, error) {
	if !c.UserConfirms || c.ConfirmWithin == 0 || c.New == nil || c.New.Equal(c.Old) {
		return false, nil
	}
	s, err := hostrules.Read(ctx, t.Host, c.name())
	return err == nil && s.Pending == nil && s.Installed.Equal(c.Old), err
}

// CheckUndo returns an error if the docker host cannot be reached, or root's rights are not
// available there.
func (c *InstallRules) CheckUndo(ctx context.Context, t *target.Target) error {
	_, err := hostrules.Read(ctx, t.Host, c.name())
	return err
}
