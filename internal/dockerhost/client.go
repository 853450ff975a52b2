package dockerhost

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
)

// Client asks and changes one docker host. Its functions are the way there, which the caller
// decides.
type Client struct {
	Name string // the docker host's name in messages
	// Host logs in to the docker host.
	Host func(context.Context) (host.Host, error)
	// Ask runs the script that collects the facts.
	Ask func(context.Context, host.Cmd) (host.Output, error)
	// ConnectionLost reports whether an error means that the connection broke. If so, it closes the
	// connection, so that Host makes a new one.
	ConnectionLost func(error) bool
	// Served returns the certificate that dockerd serves now; nil if it does not answer.
	Served func(context.Context) *x509.Certificate

	AnswerTime func() time.Duration // how long dockerd may take to answer a request
	DaemonWait time.Duration        // how long dockerd may take to answer after a restart; 0 means defaultDeadline
	Notify     func(format string, args ...any)

	facts   memo.Of[Facts]
	staying atomic.Pointer[[]dockerd.Container] // see Staying; nil if it was not asked
}

// Facts returns the facts about the docker host. It asks once, until Forget.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	return c.facts.Get(ctx, func() (Facts, error) {
		out, err := c.Ask(ctx, probe())
		if err != nil {
			return Facts{}, fmt.Errorf("asking %s for its facts: %w", c.Name, err)
		}
		return parseFacts(out.Stdout)
	})
}

// Forget drops the remembered facts.
func (c *Client) Forget() { c.facts.Forget() }

// Swap runs a swap of the server certificate, or resumes the one with the same ID, and waits for
// its end. It gets from the facts what it must know about dockerd.
func (c *Client) Swap(ctx context.Context, s Swap) (Result, error) {
	facts, err := c.Facts(ctx)
	if err != nil {
		return Result{}, err
	}
	s.daemon = c.daemonOf(facts)
	cmd, err := s.cmd()
	if err != nil {
		return Result{}, err
	}
	return c.transact(ctx, cmd, s.ID, s.daemon.limit())
}

// StartDaemon starts dockerd unless it answers, and waits until it does.
func (c *Client) StartDaemon(ctx context.Context, facts Facts) (Result, error) {
	return c.restart(ctx, facts, true)
}

// EnsureServed makes dockerd serve the certificate that is on the docker host's disk. It only
// restarts dockerd if that serves another one or does not answer.
func (c *Client) EnsureServed(ctx context.Context, facts Facts) error {
	if facts.Init == "" {
		return nil
	}
	disk, err := certs.ParseCert(facts.Cert.Data)
	if err != nil {
		return nil // there is no certificate that dockerd could serve
	}
	served := c.Served(ctx)
	if served != nil && served.Equal(disk) {
		return nil
	}
	r, err := c.restart(ctx, facts, served == nil)
	if err != nil {
		return err
	}
	c.ReportContainers(r)
	if r.Outcome != Restarted && r.Outcome != Already {
		return fmt.Errorf("restarting dockerd on %s: %s", c.Name, cmp.Or(r.Reason, r.Log, string(r.Outcome)))
	}
	return nil
}

// ReportContainers prints what happened to the containers that a restart of dockerd stopped.
func (c *Client) ReportContainers(r Result) {
	for _, group := range []struct {
		format string
		names  []string
	}{
		{"[%s] started again: %s", r.Restarted},
		{"[%s] gone with the restart (--rm): %s", r.Lost},
		{"[%s] not running any more; start them by hand: %s", r.Failed},
	} {
		if len(group.names) > 0 {
			c.Notify(group.format, c.Name, strings.Join(group.names, ", "))
		}
	}
}

// HasTransaction reports whether the docker host still has a transaction, running or not. It
// deletes a transaction once its result has been read.
func (c *Client) HasTransaction(ctx context.Context, id string) (bool, error) {
	cmd, err := hasTransaction(id)
	if err != nil {
		return false, err
	}
	h, err := c.Host(ctx)
	if err != nil {
		return false, err
	}
	out, err := h.Run(ctx, cmd)
	if err != nil {
		return false, err
	}
	words := strings.Fields(string(out.Stdout))
	return len(words) > 0 && words[len(words)-1] == "yes", nil
}

// restart restarts dockerd. With startOnly it leaves alone a dockerd that answers.
func (c *Client) restart(ctx context.Context, facts Facts, startOnly bool) (Result, error) {
	r := restart{ID: rand.Text(), StartOnly: startOnly, daemon: c.daemonOf(facts)}
	cmd, err := r.cmd()
	if err != nil {
		return Result{}, err
	}
	return c.transact(ctx, cmd, r.ID, r.daemon.limit())
}

// daemonOf returns the dockerd that the facts describe.
func (c *Client) daemonOf(f Facts) daemon {
	return daemon{Init: f.Init, Port: f.Port(), Socket: f.Socket(), PIDFile: f.PIDFile, Deadline: c.DaemonWait}
}

// transact runs a transaction and waits for its end. If the connection is lost, the transaction
// continues on the docker host, and transact asks for its result once more over a new connection.
// After that it deletes the transaction on the docker host.
func (c *Client) transact(ctx context.Context, cmd host.Cmd, id string, limit time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := c.runTransaction(ctx, cmd)
	if err != nil && ctx.Err() == nil && c.ConnectionLost(err) {
		// The same command waits for the transaction and prints its result.
		r, err = c.runTransaction(ctx, cmd)
	}
	if err != nil || r.Outcome == Interrupted {
		return r, err // keep the transaction: only its ID can resume it
	}
	if forget, err := forgetTransaction(id); err == nil {
		if h, err := c.Host(ctx); err == nil {
			// If that fails, it does not matter: the directory is on a tmpfs.
			_, _ = h.Run(ctx, forget)
		}
	}
	return r, nil
}

func (c *Client) runTransaction(ctx context.Context, cmd host.Cmd) (Result, error) {
	h, err := c.Host(ctx)
	if err != nil {
		return Result{}, err
	}
	out, err := h.Run(ctx, cmd)
	if err != nil {
		return Result{}, err
	}
	return parseResult(out.Stdout)
}
