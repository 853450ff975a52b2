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

// Client asks and changes one docker host. The functions are how it gets there: its
// caller decides that.
type Client struct {
	Name string // for messages
	// Host is the docker host, logged in to.
	Host func(context.Context) (host.Host, error)
	// Ask runs the question for the facts there.
	Ask func(context.Context, host.Cmd) (host.Output, error)
	// ConnectionLost reports whether an error means that the connection broke, and
	// drops it then: Host makes a new one.
	ConnectionLost func(error) bool
	// Served is the certificate that dockerd serves now, nil where it does not answer.
	Served func(context.Context) *x509.Certificate

	AnswerTime func() time.Duration // for a question to dockerd
	DaemonWait time.Duration        // for dockerd to come up after a restart; 0 means 90 s
	Notify     func(format string, args ...any)

	facts   memo.Of[Facts]
	staying atomic.Pointer[[]dockerd.Container]
}

// Facts asks the docker host for all that the program wants to know of it.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	return c.facts.Get(ctx, func() (Facts, error) {
		out, err := c.Ask(ctx, probe())
		if err != nil {
			return Facts{}, fmt.Errorf("asking %s for its facts: %w", c.Name, err)
		}
		return parseFacts(out.Stdout)
	})
}

// Forget drops the facts: they may have changed.
func (c *Client) Forget() { c.facts.Forget() }

// Swap runs a swap of the server certificate, or resumes the one of that ID, and waits
// for its end. What it must know of dockerd is in the facts.
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

// StartDaemon starts dockerd if it does not answer.
func (c *Client) StartDaemon(ctx context.Context, facts Facts) (Result, error) {
	return c.restart(ctx, facts, true)
}

// EnsureServed makes dockerd serve the certificate that is on its disk: it is
// restarted only if it serves another, or does not answer.
func (c *Client) EnsureServed(ctx context.Context, facts Facts) error {
	if facts.Init == "" {
		return nil
	}
	disk, err := certs.ParseCert(facts.Cert.Data)
	if err != nil {
		return nil // there was none that dockerd could serve
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

// ReportContainers reports what became of the containers that a restart stopped.
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

// HasTransaction reports whether the docker host still has a transaction, running or not: one
// whose result was read is forgotten there.
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

func (c *Client) restart(ctx context.Context, facts Facts, startOnly bool) (Result, error) {
	r := restart{ID: rand.Text(), StartOnly: startOnly, daemon: c.daemonOf(facts)}
	cmd, err := r.cmd()
	if err != nil {
		return Result{}, err
	}
	return c.transact(ctx, cmd, r.ID, r.daemon.limit())
}

// daemonOf is the dockerd that the facts show, with the time that it may take.
func (c *Client) daemonOf(f Facts) daemon {
	return daemon{Init: f.Init, Port: f.Port(), Socket: f.Socket(), PIDFile: f.PIDFile, Deadline: c.DaemonWait}
}

// transact runs a transaction and waits for its end. When the connection is lost, the transaction
// goes on there, and its result is asked for once more, over a new connection. Once it has been
// read, the docker host forgets the transaction.
func (c *Client) transact(ctx context.Context, cmd host.Cmd, id string, limit time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := c.runTransaction(ctx, cmd)
	if err != nil && ctx.Err() == nil && c.ConnectionLost(err) {
		// The same command asks how far it got.
		r, err = c.runTransaction(ctx, cmd)
	}
	if err != nil || r.Outcome == Interrupted {
		return r, err // the same ID finishes it, if anything can
	}
	if forget, err := forgetTransaction(id); err == nil {
		if h, err := c.Host(ctx); err == nil {
			// What is not removed is on a tmpfs and goes with the next restart.
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
