// Package tls is the rung of certificates: the one that is served, the one on
// the docker host's disk, the one in the store, and the CA behind them.
package tls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// State is what was found.
type State struct {
	NotRunning bool     `json:"not_running"`
	SSHDown    bool     `json:"ssh_down"`
	Need       []string `json:"need"` // names that the endpoint in use is verified by
	Want       []string `json:"want"` // names that a reissue adds

	Served *certs.Summary `json:"served,omitempty"`
	Disk   *certs.Summary `json:"disk,omitempty"`  // on the docker host, where SSH is open anyway
	Store  *certs.Summary `json:"store,omitempty"` // machines/NAME/server.pem
	// Problems are those of the served certificate, or of the disk's if none is served.
	Problems []certs.Problem `json:"-"`
	// Missing are of Problems the ones about names that only a repair would want.
	Missing        []string        `json:"missing_names,omitempty"`
	CAProblems     []certs.Problem `json:"-"`
	NoClientAuth   bool            `json:"no_client_auth"`
	ClientRejected string          `json:"client_rejected,omitempty"`
	ClientUnusable string          `json:"client_unusable,omitempty"`
	Renewable      bool            `json:"renewable"`
	KeyMismatch    bool            `json:"key_mismatch"` // on the docker host's disk
	// Broken is what is wrong with the docker host's certificate file where nothing in
	// it can be read.
	Broken     string        `json:"broken_file,omitempty"`
	Impossible string        `json:"reissue_impossible,omitempty"`
	ForeignCA  bool          `json:"docker_host_has_another_ca"`
	Other      bool          `json:"other_machine"` // what is served is another machine's
	ClockSkew  time.Duration `json:"clock_skew_ns,omitempty"`

	Plan []world.Change `json:"-"`
	Due  bool           `json:"reissue_due"`

	FixHint, ReissueHint, ImpossibleHint string `json:"-"`
	// What docker-machine is told: make all certificates anew, those of the client too, set the clock.
	CertsHint, ClientCertsHint, ClockHint string `json:"-"`
}

// Layer is the rung.
func Layer() stack.Layer {
	return stack.Layer{Name: "tls", Needs: []string{"machine"}, Local: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *world.World) (stack.State, error) {
	s := State{FixHint: w.Hint("fix"), ReissueHint: w.Hint("fix", "--reissue"),
		CertsHint: w.DockerMachine("regenerate-certs"), ClientCertsHint: w.DockerMachine("regenerate-certs", "--client-certs"),
		ClockHint: w.DockerMachine("ssh") + ` "sudo date -u -s @$(date +%s)"`}
	target := w.Target(ctx)
	s.Need, s.Want = w.CertNames(ctx, target)
	if !w.Frugal {
		running, err := w.VM.Running(ctx)
		if err != nil {
			return nil, err
		}
		if s.NotRunning = !running; s.NotRunning {
			return s, nil
		}
	}
	answer := w.Served(ctx, target)
	if (w.Frugal || w.Repairing()) && !w.Reissue && answer.Proved() {
		if done, ok := s.good(ctx, w, answer); ok {
			return done, nil
		}
	}
	facts, factsErr := dockerhost.Facts{}, errors.New("not asked")
	if !w.Frugal {
		facts, factsErr = w.Guest.Facts(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s.SSHDown = factsErr != nil && !world.Spared(factsErr) && w.HasSSH()
	}
	served, sent := answer.Leaf, answer.Sent
	if answer.Identity == world.Other {
		s.Other, served = true, nil
	}
	subject := served
	if subject != nil {
		s.Served = summary(subject)
		s.NoClientAuth = answer.NoClientAuth
	}
	if err := answer.Rejected(); err != nil {
		s.ClientRejected = err.Error()
	}
	if err := answer.ClientUnusable(); err != nil {
		s.ClientUnusable = err.Error()
	}
	if factsErr == nil {
		s.ClockSkew = facts.ClockSkew(w.Now())
		if disk, err := certs.ParseCert(facts.Cert.Data); err == nil {
			s.Disk = summary(disk)
			key := changes.HostKey(facts)
			s.KeyMismatch = key != nil && !certs.SameKey(key, disk.PublicKey)
			if subject == nil {
				chain, _ := certs.ParseCerts(facts.Cert.Data) // the first is disk
				subject, sent = disk, chain[1:]
			}
		} else if !facts.Cert.Found && facts.Cert.Error == "" && facts.Cert.From != "default" {
			s.Broken = fmt.Sprintf("there is no %s on the docker host, which dockerd is told to use", facts.Cert.Path)
		} else if facts.Cert.Found {
			s.Broken = fmt.Sprintf("%s on the docker host holds no certificate that can be read (%v)", facts.Cert.Path, errors.Unwrap(err))
		}
	}
	if own, err := w.StoreCert(ctx); err == nil {
		s.Store = summary(own)
		if subject == nil && s.Broken != "" {
			subject = own // what dockerd had before the file was broken
		}
	}
	if subject == nil {
		return s, nil
	}
	cas, err := w.CAs(ctx)
	if err != nil {
		s.CAProblems = append(s.CAProblems, certs.Problem{Kind: certs.CAUnusable, Text: err.Error(), Err: err})
		return s, nil
	}
	if factsErr == nil {
		if theirs, err := certs.ParseCerts(facts.CA.Data); err == nil {
			s.ForeignCA = !slices.ContainsFunc(theirs, func(c *x509.Certificate) bool { return slices.ContainsFunc(cas, c.Equal) })
		}
	}
	s.judge(w, subject, certs.Trust{Roots: cas, Sent: sent})
	if s.Due = s.due(w.Reissue); s.Due || w.Reissue {
		s.plan(ctx, w, served, facts, factsErr)
	}
	return s, nil
}

func summary(c *x509.Certificate) *certs.Summary {
	s := certs.Summarize(c)
	return &s
}

// good is the state where what is served needs nothing: a repair does not log in
// then, and the comparison with the docker host's disk is a diagnosis's.
func (s State) good(ctx context.Context, w *world.World, answer world.Answer) (State, bool) {
	cas, err := w.CAs(ctx)
	if err != nil {
		return s, false
	}
	s.Served, s.NoClientAuth = summary(answer.Leaf), answer.NoClientAuth
	if own, err := w.StoreCert(ctx); err == nil {
		s.Store = summary(own)
	}
	s.judge(w, answer.Leaf, certs.Trust{Roots: cas, Sent: answer.Sent})
	return s, !s.due(false)
}

func (s *State) judge(w *world.World, subject *x509.Certificate, trust certs.Trust) {
	now, ca := w.Now(), trust.Issuer(subject)
	s.Problems = certs.Check(subject, trust, s.Need, now)
	for _, p := range certs.Check(subject, trust, s.Want, now) {
		if (p.Kind == certs.NameMissing || p.Kind == certs.AddressMissing) && !slices.Contains(s.Need, p.Name) {
			s.Missing = append(s.Missing, p.Name)
		}
	}
	s.Renewable = certs.Renewable(subject, ca, now)
	s.CAProblems = append(s.CAProblems, certs.CheckCA(ca, nil, now)...)
}

// due says whether the certificate must be reissued for docker to work through
// localhost. That only an address is missing is not enough: a restart of dockerd
// is the user's to choose.
func (s *State) due(forced bool) bool {
	if s.ForeignCA {
		// A certificate of our CA would not make dockerd accept our client's.
		return false
	}
	if s.KeyMismatch || s.Broken != "" && s.Served == nil {
		return true
	}
	for _, p := range s.Problems {
		switch p.Kind {
		case certs.NameMissing, certs.AddressMissing, certs.Expired, certs.NotYetValid, certs.WrongCA, certs.NoServerAuth, certs.WeakSignature:
			return true
		case certs.ExpiresSoon:
			if s.Renewable {
				return true
			}
		}
	}
	return slices.Contains(s.Missing, world.Localhost) || forced
}

// acceptHint takes the changed host key, and does what was asked for.
func acceptHint(w *world.World) string {
	if w.Reissue {
		return w.Hint("fix", "--accept-host-key", "--reissue")
	}
	return w.Hint("fix", "--accept-host-key")
}

// plan prepares a reissue. Whether it can be done at all, sudo and the init
// script included, is known before anything is written.
func (s *State) plan(ctx context.Context, w *world.World, served *x509.Certificate, facts dockerhost.Facts, factsErr error) {
	if _, _, err := w.SigningCA(ctx); err != nil {
		var p *certs.Problem
		if !errors.As(err, &p) {
			p = &certs.Problem{Kind: certs.CAUnusable, Text: err.Error(), Err: err}
		}
		s.CAProblems = append(s.CAProblems, *p)
		return
	}
	if slices.ContainsFunc(s.CAProblems, func(p certs.Problem) bool { return p.Kind == certs.CAExpired }) {
		return
	}
	s.ImpossibleHint = "docker-vpn-helper explain tls.reissue-impossible"
	switch {
	case w.Frugal, world.Spared(factsErr):
	case factsErr != nil:
		// The ssh rung knows what to do about it, and cert renew does not look at it.
		s.Impossible, s.ImpossibleHint = world.NoFacts(factsErr), w.Hint("doctor")
		if world.HostKeyChanged(factsErr) {
			s.ImpossibleHint = acceptHint(w)
		}
	case !facts.Root:
		s.Impossible = "sudo is refused on the docker host: " + facts.SudoError
	case world.HoldsKey(facts.Cert.Data):
		s.Impossible = facts.Cert.Path + " on the docker host holds a private key as well, which has to be in a file of its own"
	case !facts.Client:
		s.Impossible = "the docker host has no docker command, by which a restart of dockerd is watched and its containers are started again"
	case facts.NoSocket():
		s.Impossible = "dockerd on the docker host has no unix socket (-H), by which a restart is watched and its containers are started again"
	case facts.Init == "":
		s.Impossible = "the docker host has no /etc/init.d/docker, docker.service or /etc/init/docker.conf to restart dockerd with"
	}
	if s.Impossible != "" {
		return
	}
	s.Plan = []world.Change{
		changes.PlanReissue(ctx, w, s.Want, served),
	}
	sans, unsure := changes.PlanSANs(ctx, w)
	switch {
	case sans != nil:
		s.Plan = append(s.Plan, sans)
	case unsure != nil && w.Repairing():
		w.Tell("[%s] warn: docker-machine will not keep the new names: %v", w.Machine.Name, unsure)
	}
}

// Changes implements stack.State.
func (s State) Changes() []world.Change { return s.Plan }
