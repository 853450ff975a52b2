package world

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// SetMachine makes the World one of a machine, with the parts that only a machine has.
func (w *World) SetMachine(m store.Machine) {
	w.Machine = m
	w.VM = w.VirtualBox.Machine(m)
	w.Guest = &dockerhost.Client{
		Name: m.Name, Host: w.DockerHost, Ask: w.askHost, FactsFailed: w.noteTrouble,
		ConnectionLost: w.connectionLost,
		Served:         func(ctx context.Context) *x509.Certificate { return w.Ask(ctx, w.Inside()).Leaf },
		AnswerTime:     func() time.Duration { return max(ProbeTime, w.Patience) },
		Tell:           w.Tell,
	}
}

func (w *World) connectionLost(err error) bool {
	var lost *sshhost.Error
	if !errors.As(err, &lost) || lost.Cause == sshhost.Denied {
		return false
	}
	w.Close()
	return true
}
