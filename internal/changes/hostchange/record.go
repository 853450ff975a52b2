package hostchange

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// WriteRecord writes the endpoint record, from which the next run learns the endpoint without
// asking VirtualBox. Old and None are as Backup found the file.
type WriteRecord struct {
	Path string
	Old  string `json:",omitempty"`
	None bool   `json:",omitempty"` // there was no record, or a broken one
	New  string
}

func (c *WriteRecord) About() engine.About {
	return engine.About{Kind: "write-record", Doing: "recording the endpoint " + c.url(), KeepsAnswers: true}
}

func (c *WriteRecord) String() string { return "record the endpoint " + c.url() }

// url returns the URL of the new record's endpoint; "" if the record cannot be parsed.
func (c *WriteRecord) url() string {
	r, err := store.ParseEndpointRecord([]byte(c.New))
	if err != nil {
		return ""
	}
	return endpoint.Forwarded(r.Port).URL()
}

func (c *WriteRecord) Backup(ctx context.Context, t *target.Target) error {
	old, err := t.Laptop.ReadFile(ctx, c.Path)
	if c.None = errors.Is(err, fs.ErrNotExist); err != nil && !c.None {
		return err
	}
	if !json.Valid(old) {
		old = nil // a broken record is not worth restoring
		c.None = true
	}
	c.Old = string(old)
	return nil
}

func (c *WriteRecord) Apply(ctx context.Context, t *target.Target) error {
	return t.Laptop.WriteFile(ctx, c.Path, []byte(c.New), 0o600)
}

func (c *WriteRecord) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	return restore(ctx, t, c.Path, file{text: c.Old, missing: c.None}, c.New)
}
