package hostchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// AddSANs adds names to ServerCertSANs in the machine's config.json, so that docker-machine
// regenerate-certs keeps them. config.json may contain a cloud driver's secrets; therefore the
// journal gets only this one field.
type AddSANs struct {
	Machine string // unused, but older journals have it, and Decode refuses unknown fields
	Path    string
	Names   []string
	store.Edit
}

// UnlistedNames returns the names that config.json should list and does not; none if this version
// of config.json has no such list. The error says why the file cannot be edited safely; it is then
// left as it is, and the repair goes on.
func UnlistedNames(ctx context.Context, t *target.Target) (names []string, err error) {
	for _, n := range t.Endpoints.LastingNames() {
		if !slices.Contains(t.Machine.ServerCertSANs, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 || t.Machine.ConfigVersion < 2 || !t.Machine.VirtualBox() {
		return nil, nil
	}
	_, _, err = (&AddSANs{Path: t.Machine.ConfigPath(), Names: names}).edit(ctx, t)
	return names, err
}

// edit returns the file's text before and after adding the names.
func (c *AddSANs) edit(ctx context.Context, t *target.Target) (data, changed []byte, err error) {
	if data, err = t.Laptop.ReadFile(ctx, c.Path); err != nil {
		return nil, nil, err
	}
	if changed, err = store.AddSANs(data, c.Names); err != nil {
		return nil, nil, fmt.Errorf("editing %s: %w", c.Path, err)
	}
	return data, changed, nil
}

func (c *AddSANs) About() engine.About {
	return engine.About{Kind: "add-sans", Doing: "listing the names in config.json, so that docker-machine keeps them", KeepsAnswers: true}
}

func (c *AddSANs) String() string {
	return fmt.Sprintf("list %s as ServerCertSANs in config.json", strings.Join(c.Names, ", "))
}

func (c *AddSANs) Backup(ctx context.Context, t *target.Target) error {
	data, changed, err := c.edit(ctx, t)
	if err != nil {
		return err
	}
	c.Edit = store.EditOf(data, changed)
	return nil
}

func (c *AddSANs) Apply(ctx context.Context, t *target.Target) error {
	data, changed, err := c.edit(ctx, t)
	if err != nil || bytes.Equal(changed, data) {
		return err
	}
	return t.Laptop.WriteFile(ctx, c.Path, changed, 0o600)
}

// Revert restores the file. Where docker-machine has written it anew since, it only
// removes the names that Apply added.
func (c *AddSANs) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	data, err := t.Laptop.ReadFile(ctx, c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the machine was removed
	}
	if err != nil {
		return nil, err
	}
	if before, ok := c.Edit.Undo(data); ok {
		return nil, t.Laptop.WriteFile(ctx, c.Path, before, 0o600)
	}
	if !c.applied(data) {
		return nil, nil
	}
	changed, err := store.RemoveSANs(data, c.Names)
	if err != nil {
		return []string{fmt.Sprintf("ServerCertSANs in %s: %v", c.Path, err)}, nil
	}
	if bytes.Equal(changed, data) {
		return nil, nil
	}
	return nil, t.Laptop.WriteFile(ctx, c.Path, changed, 0o600)
}

// applied reports whether the file may have the names that Apply added: it is not as Backup found
// it.
func (c *AddSANs) applied(data []byte) bool {
	again, err := store.AddSANs(data, c.Names)
	return err != nil || !c.Edit.Made(again)
}
