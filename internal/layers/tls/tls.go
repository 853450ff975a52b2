// Package tls is the layer of certificates: the one that is served, the one on
// the docker host's disk, the one in the store, and the CA behind them.
package tls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
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
	// Verdict is on the served certificate, or on the disk's if none is served.
	Verdict certs.Verdict `json:"-"`
	// Missing are the names that only a reissue would add.
	Missing []string `json:"missing_names,omitempty"`
	// Signing is what keeps the machine CA from signing a certificate that docker accepts,
	// where a new one is due.
	Signing      []certs.Problem `json:"-"`
	NoClientAuth bool            `json:"no_client_auth"`
	Renewable    bool            `json:"renewable"`
	KeyMismatch  bool            `json:"key_mismatch"` // on the docker host's disk

	Client *certs.Summary `json:"client,omitempty"` // docker's own certificate
	// ClientProblem is why a dockerd with this ca.pem refuses it.
	ClientProblem  *certs.Problem `json:"-"`
	ClientRejected string         `json:"client_rejected,omitempty"`
	ClientUnusable string         `json:"client_unusable,omitempty"`

	// Broken is what is wrong with the docker host's certificate file where nothing in
	// it can be read.
	Broken     string        `json:"broken_file,omitempty"`
	Impossible string        `json:"reissue_impossible,omitempty"`
	Demanded   bool          `json:"-"` // the user demands a reissue
	ForeignCA  bool          `json:"docker_host_has_another_ca"`
	Other      bool          `json:"other_machine"` // what is served is another machine's
	ClockSkew  time.Duration `json:"clock_skew_ns,omitempty"`

	Plan []engine.Change `json:"-"`
	Due  bool            `json:"reissue_due"`

	// CAHint is how docker-machine makes a new machine CA, ClientHint how it makes a client
	// certificate that dockerd accepts; RenewNote is why the installed one cannot.
	CAHint, ClientHint, RenewNote string `json:"-"`

	FixHint, ReissueHint, ImpossibleHint string `json:"-"`
	// CertsHint is how docker-machine makes a new server certificate.
	CertsHint, ClockHint string `json:"-"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "tls", Needs: []string{"machine"}, Local: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	s := State{Demanded: w.Reissue, FixHint: w.Hint("fix"), ReissueHint: w.Hint("fix", "--reissue"), CertsHint: w.DockerMachine("regenerate-certs"),
		ClockHint: w.DockerMachine("ssh") + ` "sudo date -u -s @$(date +%s)"`}
	target := w.Endpoints.Target(ctx)
	s.Need, s.Want = w.Endpoints.CertNames(ctx, target)
	if !w.Mode.IsQuick() {
		running, err := w.VM.Running(ctx)
		if err != nil {
			return nil, err
		}
		if s.NotRunning = !running; s.NotRunning {
			return s, nil
		}
	}
	answer := w.Endpoints.Served(ctx, target)
	if (w.Mode.IsQuick() || w.Mode.IsRepair()) && !w.Reissue && answer.Verified() {
		if done, ok := s.good(ctx, w, answer); ok {
			return done, nil
		}
	}
	if err := s.look(ctx, w, answer); err != nil {
		return nil, err
	}
	s.advise(ctx, w)
	return s, nil
}

// look compares what is served with the copies of it, judges it and plans a reissue.
func (s *State) look(ctx context.Context, w *target.Target, answer endpoint.Answer) error {
	facts, factsErr := dockerhost.Facts{}, errors.New("not asked")
	if !w.Mode.IsQuick() {
		facts, factsErr = w.Guest.Facts(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.SSHDown = factsErr != nil && !access.Skipped(factsErr) && w.SSH.Exists()
	}
	served := answer.Leaf
	if answer.Identity == endpoint.Other {
		s.Other, served = true, nil
	}
	var chain []*x509.Certificate
	if served != nil {
		s.Served, chain = summary(served), answer.Chain()
		s.NoClientAuth = answer.NoClientAuth
	}
	roots, rootsErr := w.Endpoints.CAs(ctx)
	s.client(ctx, w, roots, answer)
	if factsErr == nil {
		if disk := s.disk(w, facts); chain == nil {
			chain = disk
		}
	}
	if own, err := w.Endpoints.StoreCert(ctx); err == nil {
		s.Store = summary(own)
		if chain == nil && s.Broken != "" {
			chain = []*x509.Certificate{own} // what dockerd had before the file was broken
		}
	}
	switch {
	case chain == nil:
		return nil
	case rootsErr != nil:
		s.Verdict.Causes = []certs.Problem{{Kind: certs.CAUnusable, Text: rootsErr.Error(), Err: rootsErr}}
		return nil
	}
	if factsErr == nil {
		if theirs, err := certs.ParseCerts(facts.CA.Data); err == nil {
			s.ForeignCA = !slices.ContainsFunc(theirs, func(c *x509.Certificate) bool { return slices.ContainsFunc(roots, c.Equal) })
		}
	}
	s.judge(w, roots, chain)
	if s.Due = s.due(w.Reissue); s.Due {
		s.plan(ctx, w, chain[0], served, facts, factsErr)
	}
	return nil
}

// disk reads the chain on the docker host's disk; nil if there is none.
func (s *State) disk(w *target.Target, facts dockerhost.Facts) []*x509.Certificate {
	s.ClockSkew = facts.ClockSkew(w.Now())
	disk, err := certs.ParseCert(facts.Cert.Data)
	switch {
	case err == nil:
		s.Disk = summary(disk)
		key := changes.HostKey(facts)
		s.KeyMismatch = key != nil && !certs.SameKey(key, disk.PublicKey)
		chain := []*x509.Certificate{disk}
		all, _ := certs.ParseCerts(facts.Cert.Data)
		for _, c := range all {
			if !c.Equal(disk) {
				chain = append(chain, c)
			}
		}
		return chain
	case facts.Cert.Found:
		s.Broken = fmt.Sprintf("%s on the docker host holds no certificate that can be read (%v)", facts.Cert.Path, errors.Unwrap(err))
	case facts.Cert.Error == "" && facts.Cert.From != "default":
		s.Broken = fmt.Sprintf("there is no %s on the docker host, which dockerd is told to use", facts.Cert.Path)
	}
	return nil
}

func summary(c *x509.Certificate) *certs.Summary {
	s := certs.Summarize(c)
	return &s
}

// good is the state where what is served needs nothing: a repair does not log in
// then, and the comparison with the docker host's disk is a diagnosis's.
func (s State) good(ctx context.Context, w *target.Target, answer endpoint.Answer) (State, bool) {
	cas, err := w.Endpoints.CAs(ctx)
	if err != nil {
		return s, false
	}
	s.Served, s.NoClientAuth = summary(answer.Leaf), answer.NoClientAuth
	if own, err := w.Endpoints.StoreCert(ctx); err == nil {
		s.Store = summary(own)
	}
	s.judge(w, cas, answer.Chain())
	return s, !s.due(false) && len(s.Verdict.Causes) == 0
}

func (s *State) judge(w *target.Target, roots, chain []*x509.Certificate) {
	name := ""
	if len(s.Need) > 0 {
		name = s.Need[0]
	}
	s.Verdict = certs.Judge(roots, chain, name, w.Now())
	for _, p := range certs.MissingNames(chain[0], s.Want) {
		if !slices.Contains(s.Need, p.Name) {
			s.Missing = append(s.Missing, p.Name)
		}
	}
	s.Renewable = certs.Renewable(chain[0], s.Verdict.Root, w.Now())
}

// due reports whether a reissue is called for, so that docker works through localhost. That
// only an address is missing is not enough: a restart of dockerd is the user's to choose.
func (s *State) due(forced bool) bool {
	switch {
	case forced:
		return true
	case s.ForeignCA:
		// A certificate of our CA would not make dockerd accept our client's.
		return false
	case s.KeyMismatch, s.Broken != "" && s.Served == nil, len(s.Verdict.Causes) > 0:
		return true
	case s.Renewable && slices.ContainsFunc(s.Verdict.Expiring, func(p certs.Problem) bool { return p.Kind == certs.ExpiresSoon }):
		return true
	}
	return slices.Contains(s.Missing, endpoint.Localhost)
}

// acceptHint takes the changed host key, and does what was asked for.
func acceptHint(w *target.Target) string {
	if w.Reissue {
		return w.Hint("fix", "--accept-host-key", "--reissue")
	}
	return w.Hint("fix", "--accept-host-key")
}

// plan prepares a reissue of old. Whether it can be done at all, sudo and the init
// script included, is known before anything is written.
func (s *State) plan(ctx context.Context, w *target.Target, old, served *x509.Certificate, facts dockerhost.Facts, factsErr error) {
	if err := s.try(ctx, w, old, facts); err != nil {
		p := certs.Problem{Kind: certs.CAUnusable, Text: err.Error(), Err: err}
		var known *certs.Problem
		if errors.As(err, &known) && known.OfCA() {
			p = *known
		}
		s.Signing = []certs.Problem{p}
		return
	}
	s.ImpossibleHint = "docker-vpn-helper explain tls.reissue-impossible"
	switch {
	case w.Mode.IsQuick(), access.Skipped(factsErr):
	case factsErr != nil:
		// The ssh layer knows what to do about it, and cert renew does not look at it.
		s.Impossible, s.ImpossibleHint = access.NoFacts(factsErr), w.Hint("doctor")
		if access.HostKeyChanged(factsErr) {
			s.ImpossibleHint = acceptHint(w)
		}
	case !facts.Root:
		s.Impossible = "sudo is refused on the docker host: " + facts.SudoError
	case endpoint.HoldsKey(facts.Cert.Data):
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
	s.Plan = []engine.Change{
		changes.PlanReissue(ctx, w, s.Want, served),
	}
	sans, unsure := changes.PlanSANs(ctx, w)
	switch {
	case sans != nil:
		s.Plan = append(s.Plan, sans)
	case unsure != nil && w.Mode.IsRepair():
		w.Tell("[%s] warn: docker-machine will not keep the new names: %v", w.Machine.Name, unsure)
	}
}

// try signs a certificate in the place of old, and throws it away: an error is why docker
// would not accept what a reissue makes.
func (s *State) try(ctx context.Context, w *target.Target, old *x509.Certificate, facts dockerhost.Facts) error {
	ca, caKey, err := w.Endpoints.SigningCA(ctx)
	if err != nil {
		return err
	}
	key := changes.HostKey(facts)
	if key == nil {
		key = old.PublicKey
	}
	_, err = certs.Reissue(certs.Request{Old: old, PublicKey: key, CA: ca, CAKey: caKey, Names: s.Want, Now: w.Now(), RemoteNow: facts.Now})
	return err
}

func (s State) Changes() []engine.Change { return s.Plan }
