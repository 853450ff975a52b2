package world

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// Transact runs a transaction of the docker host's and waits for its end. It goes
// on there when the connection is lost; then it is asked again, once, over a
// new one.
func (w *World) Transact(ctx context.Context, cmd host.Cmd, id string, d dockerhost.Daemon) (dockerhost.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Limit())
	defer cancel()
	r, err := w.transact(ctx, cmd)
	var lost *sshhost.Error
	if errors.As(err, &lost) && lost.Cause != sshhost.Denied && ctx.Err() == nil {
		// The docker host has gone on: the same command asks how far it got.
		w.Close()
		r, err = w.transact(ctx, cmd)
	}
	if err != nil || r.Outcome == dockerhost.Interrupted {
		return r, err // the same ID finishes it, if anything can
	}
	if ack, err := dockerhost.Ack(id); err == nil {
		if h, err := w.DockerHost(ctx); err == nil {
			// What is not removed is on a tmpfs and goes with the next restart.
			_, _ = h.Run(ctx, ack)
		}
	}
	return r, nil
}

func (w *World) transact(ctx context.Context, cmd host.Cmd) (dockerhost.Result, error) {
	h, err := w.DockerHost(ctx)
	if err != nil {
		return dockerhost.Result{}, err
	}
	out, err := h.Run(ctx, cmd)
	if err != nil {
		return dockerhost.Result{}, err
	}
	return dockerhost.ParseResult(out.Stdout)
}

// Transaction says whether the docker host still knows of a transaction.
func (w *World) Transaction(ctx context.Context, id string) (bool, error) {
	h, err := w.DockerHost(ctx)
	if err != nil {
		return false, err
	}
	// Said, not an exit status: sudo's own is 1, too, and it warns of what does no harm ("unable to
	// resolve host") on the stderr of a command that it lets through.
	out, err := h.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", `if test -d "$1"; then echo; echo yes; else echo; echo no; fi`, "sh", "/var/run/docker-vpn-helper/" + id}, Root: true})
	if err != nil {
		return false, err
	}
	said := strings.Fields(string(out.Stdout))
	return len(said) > 0 && said[len(said)-1] == "yes", nil
}

// StartDaemon starts dockerd if it does not answer.
func (w *World) StartDaemon(ctx context.Context, facts dockerhost.Facts) (dockerhost.Result, error) {
	return w.restart(ctx, facts, true)
}

// EnsureServed makes dockerd serve the certificate that is on its disk: it is
// restarted only if it serves another, or does not answer.
func (w *World) EnsureServed(ctx context.Context, facts dockerhost.Facts) error {
	if facts.Init == "" {
		return nil
	}
	disk, err := certs.ParseCert(facts.Cert.Data)
	if err != nil {
		return nil // there was none that dockerd could serve
	}
	a := w.Ask(ctx, w.Inside())
	if a.Leaf != nil && a.Leaf.Equal(disk) {
		return nil
	}
	r, err := w.restart(ctx, facts, a.Leaf == nil)
	if err != nil {
		return err
	}
	w.TellContainers(r)
	if r.Outcome != dockerhost.Restarted && r.Outcome != dockerhost.Already {
		return fmt.Errorf("restarting dockerd on %s: %s", w.Machine.Name, cmp.Or(r.Reason, r.Log, string(r.Outcome)))
	}
	return nil
}

func (w *World) restart(ctx context.Context, facts dockerhost.Facts, startOnly bool) (dockerhost.Result, error) {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return dockerhost.Result{}, err
	}
	r := dockerhost.Restart{ID: hex.EncodeToString(id), StartOnly: startOnly, Daemon: dockerhost.For(facts)}
	r.Daemon.Deadline = w.DaemonWait
	cmd, err := r.Cmd()
	if err != nil {
		return dockerhost.Result{}, err
	}
	return w.Transact(ctx, cmd, r.ID, r.Daemon)
}

// TellContainers says what became of the containers that a restart stopped.
func (w *World) TellContainers(r dockerhost.Result) {
	for what, names := range map[string][]string{
		"started again: %s":                            r.Restarted,
		"gone with the restart (--rm): %s":             r.Lost,
		"not running any more, start them by hand: %s": r.Failed,
	} {
		if len(names) > 0 {
			w.Tell("[%s] "+what, w.Machine.Name, strings.Join(names, ", "))
		}
	}
}
