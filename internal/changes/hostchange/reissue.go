// Package hostchange has the changes to a docker host and to what the laptop stores about it: the
// server certificate, dockerd, packet filters, the endpoint record, the names in config.json.
package hostchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const kindReissue = "reissue-certificate"

// Reissued reports whether this run has already reissued the certificate.
func Reissued(t *target.Target) bool { return slices.Contains(t.Applied, kindReissue) }

// Reissue signs a new server certificate for the docker host's existing key, installs it there and
// in the store, and restarts dockerd. The journal contains both certificates, which are not secret.
type Reissue struct {
	Machine string
	Names   []string // the names to add to the certificate
	// Containers are those that the restart stops; empty if none run, or if live-restore keeps them
	// running.
	Containers []string `json:",omitempty"`

	// Backup sets the fields from here on.
	ID        string // of the transaction on the docker host
	HostPath  string // of the certificate on the docker host
	HostOld   []byte `json:",omitempty"`
	StorePath string // of the store's copy
	StoreOld  []byte `json:",omitempty"`
	StoreNone bool   `json:",omitempty"` // the store had no copy
	New       []byte `json:",omitempty"`

	// Request describes the new certificate. NotKept is why a later certificate of docker-machine
	// will not have its names; "" if it will.
	Request certs.Request `json:"-"`
	NotKept string        `json:"-"`
}

func (c *Reissue) About() engine.About {
	a := engine.About{
		Kind:  kindReissue,
		Doing: fmt.Sprintf("reissuing the server certificate with %s, and restarting dockerd", strings.Join(c.Names, ", ")),
		// Undo has to restore the certificate on the docker host, unless none was signed.
		NeedsDockerHost: len(c.New) > 0,
		RestartsDockerd: true,
	}
	if len(c.Containers) > 0 {
		a.Risk = fmt.Sprintf("restarting dockerd on %s stops %s", c.Machine, strings.Join(c.Containers, ", "))
		a.RiskLasts = dockerhost.AnyRemoved(c.Containers)
	}
	return a
}

func (c *Reissue) String() string {
	return fmt.Sprintf("reissue the server certificate with %s, and restart dockerd", strings.Join(c.Names, ", "))
}

// Sign signs the requested certificate with the machine CA's key.
func Sign(ctx context.Context, t *target.Target, r certs.Request) (_ []byte, err error) {
	if r.CA, r.CAKey, err = t.Endpoints.SigningCA(ctx); err != nil {
		return nil, err
	}
	r.Now = t.Now()
	return certs.Reissue(r)
}

// Backup reads both old copies of the certificate and signs the new one.
func (c *Reissue) Backup(ctx context.Context, t *target.Target) error {
	facts, err := t.Guest.Facts(ctx)
	if err != nil {
		return err
	}
	if !facts.Root {
		return sudoRefused(c.Machine, facts)
	}
	if facts.ReadOnly {
		return fmt.Errorf("the directory of %s on %s is read-only", facts.Cert.Path, c.Machine)
	}
	if apart := dockerhost.DescribeClockSkew(facts.ClockSkew(t.Now())); apart != "" {
		t.Notify("[%s] warn: %s: the certificate is made for both", c.Machine, apart)
	}
	if c.NotKept != "" {
		t.Notify("[%s] warn: docker-machine will not keep the new names: %s", c.Machine, c.NotKept)
	}
	// Both files go into the journal, which must not contain secrets.
	if endpoint.HoldsKey(facts.Cert.Data) {
		return fmt.Errorf("%s on %s holds a private key as well: put that into a file of its own", facts.Cert.Path, c.Machine)
	}
	c.HostPath, c.HostOld = facts.Cert.Path, facts.Cert.Data
	store, err := t.Laptop.ReadFile(ctx, c.StorePath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.StoreNone = true
	case err != nil:
		return err
	case endpoint.HoldsKey(store):
		return fmt.Errorf("%s holds a private key as well: put that into a file of its own", c.StorePath)
	}
	c.StoreOld = store

	if c.New, err = Sign(ctx, t, c.Request); err != nil {
		return fmt.Errorf("signing the new server certificate: %w", err)
	}
	c.ID = rand.Text()
	return nil
}

func sudoRefused(machine string, facts dockerhost.Facts) error {
	return fmt.Errorf("sudo is refused on %s: %s", machine, facts.SudoError)
}

// Apply writes the store's copy first: if the store cannot be written, dockerd must not be
// restarted for nothing. Then it changes the docker host in one transaction, which completes there
// even if the connection is lost.
func (c *Reissue) Apply(ctx context.Context, t *target.Target) error {
	if err := t.Laptop.WriteFile(ctx, c.StorePath, c.New, 0o600); err != nil {
		return fmt.Errorf("writing the store's copy of the server certificate: %w", err)
	}
	r, err := c.swap(ctx, t, c.ID, c.HostOld, c.New)
	if err != nil {
		return err
	}
	t.Guest.ReportContainers(r)
	if err := r.Err(c.Machine); err != nil {
		return err
	}
	return c.verifyServed(ctx, t)
}

// verifyServed returns an error if dockerd is seen to serve another certificate than the new one.
// Then it has not been restarted, although its init script reported success.
func (c *Reissue) verifyServed(ctx context.Context, t *target.Target) error {
	t.Forget()
	now := t.Endpoints.Ask(ctx, t.Endpoints.Inside()).Leaf
	fresh, err := certs.ParseCert(c.New)
	if err != nil || now == nil || now.Equal(fresh) {
		return err
	}
	return fmt.Errorf("dockerd on %s has not been restarted: it serves another certificate than the one on its disk", c.Machine)
}

// CheckUndo returns an error if the docker host cannot be reached or sudo is refused there. It
// finds out which containers the restart would stop.
func (c *Reissue) CheckUndo(ctx context.Context, t *target.Target) error {
	if len(c.New) == 0 || t.Machine.Removed || t.VM.Missing(ctx) {
		return nil
	}
	facts, err := t.Guest.Facts(ctx)
	if err == nil && !facts.Root {
		err = sudoRefused(c.Machine, facts)
	}
	c.Containers = nil
	if err == nil && bytes.Equal(facts.Cert.Data, c.New) && c.startable(facts) {
		c.Containers = t.Guest.StoppedByRestart(ctx)
	}
	return err
}

// Revert restores the old certificate in both places. What it does on the docker host depends on
// what it finds there:
//   - a transaction of Apply whose result was never read: Revert waits for its end, and resumes it
//     if it died; then one of the following applies
//   - the old certificate: Revert makes sure that dockerd serves it
//   - the new certificate: another transaction swaps it for the old one
//   - another certificate: it stays
func (c *Reissue) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	if len(c.New) == 0 {
		return nil, nil
	}
	if t.Machine.Removed {
		return []string{fmt.Sprintf("machine %s is not in the store any more, its certificate stays", c.Machine)}, nil
	}
	facts, factsErr := t.Guest.Facts(ctx)
	stays := fmt.Sprintf("the certificate of %s stays: dockerd does not start with what %s was before", c.Machine, c.HostPath)
	if factsErr == nil && bytes.Equal(facts.Cert.Data, c.New) && !c.startable(facts) {
		return []string{stays}, nil
	}
	left, err := restore(ctx, t, c.StorePath, file{text: string(c.StoreOld), missing: c.StoreNone}, string(c.New))
	if err != nil {
		return left, err
	}
	if factsErr != nil && t.VM.Missing(ctx) {
		return append(left, fmt.Sprintf("VirtualBox has no VM %s any more, its certificate went with it", t.Machine.VMName)), nil
	}
	if factsErr != nil {
		return left, fmt.Errorf("asking %s for its certificate: %w", c.Machine, factsErr)
	}
	hostLeft, err := c.revertHost(ctx, t, facts, stays)
	return append(left, hostLeft...), err
}

// revertHost restores the certificate on the docker host. stays is what it reports if dockerd
// refuses the old one.
func (c *Reissue) revertHost(ctx context.Context, t *target.Target, facts dockerhost.Facts, stays string) ([]string, error) {
	if !facts.Root { // without root's rights its files cannot be read
		return nil, sudoRefused(c.Machine, facts)
	}
	if known, err := t.Guest.HasTransaction(ctx, c.ID); err != nil {
		return nil, err
	} else if known {
		// It may still be running, or may have died halfway. Whatever its outcome, the facts show
		// afterwards which certificate is installed.
		r, err := c.swap(ctx, t, c.ID, c.HostOld, c.New)
		if err != nil {
			return nil, err
		}
		t.Guest.ReportContainers(r)
		t.Forget()
		if facts, err = t.Guest.Facts(ctx); err != nil {
			return nil, err
		}
	}
	switch now := facts.Cert.Data; {
	case bytes.Equal(now, c.HostOld):
		return nil, t.Guest.EnsureServed(ctx, facts)
	case !bytes.Equal(now, c.New):
		return []string{fmt.Sprintf("%s on %s was changed by another program since, and stays", c.HostPath, c.Machine)}, nil
	}
	r, err := c.swap(ctx, t, c.ID+"-back", c.New, c.HostOld)
	if err != nil {
		return nil, err
	}
	t.Guest.ReportContainers(r)
	if r.Outcome == dockerhost.PutBack {
		// dockerd refused the old certificate and would refuse it again: the new one stays.
		return []string{stays + ": " + r.Reason}, t.Laptop.WriteFile(ctx, c.StorePath, c.New, 0o600)
	}
	return nil, r.Err(c.Machine)
}

// startable reports whether dockerd would start with the old certificate, as far as is known: its
// key must be the docker host's.
func (c *Reissue) startable(facts dockerhost.Facts) bool {
	old, err := certs.ParseCert(c.HostOld)
	key := facts.PublicKey()
	return err == nil && (key == nil || certs.SameKey(key, old.PublicKey))
}

// swap replaces certificate from by to on the docker host. id identifies the transaction.
func (c *Reissue) swap(ctx context.Context, t *target.Target, id string, from, to []byte) (dockerhost.Result, error) {
	return t.Guest.Swap(ctx, dockerhost.Swap{ID: id, Cert: c.HostPath, From: from, To: to})
}
