// Package tls is the layer of certificates: the one that dockerd serves, the one on the docker
// host's disk, the one in the store, and the CA that signed them.
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
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	Machine    string `json:"-"`
	NotRunning bool   `json:"not_running"`
	SSHDown    bool   `json:"ssh_down"`
	// Requested means that the user asked for a new certificate, and that this run has not made one
	// yet.
	Requested bool     `json:"reissue_requested,omitempty"`
	Need      []string `json:"need"` // names by which docker verifies the endpoint in use
	Want      []string `json:"want"` // names that a reissue adds

	Served *certs.Summary `json:"served,omitempty"`
	Disk   *certs.Summary `json:"disk,omitempty"`  // on the docker host, if there is an SSH login anyway
	Store  *certs.Summary `json:"store,omitempty"` // machines/NAME/server.pem
	Other  bool           `json:"other_machine"`   // another machine's certificate is served
	// Verdict judges the served certificate, or the one on disk if none is served.
	Verdict certs.Verdict `json:"-"`
	// Missing are the names that only a reissue would add.
	Missing      []string `json:"missing_names,omitempty"`
	NoClientAuth bool     `json:"no_client_auth"`
	Renewable    bool     `json:"renewable"`
	KeyMismatch  bool     `json:"key_mismatch"` // on the docker host's disk
	// Broken is what is wrong with the certificate file on the docker host if it cannot be read, or
	// "".
	Broken    string        `json:"broken_file,omitempty"`
	ForeignCA bool          `json:"docker_host_has_another_ca"`
	ClockSkew time.Duration `json:"clock_skew_ns,omitempty"`

	Client *certs.Summary `json:"client,omitempty"` // docker's own certificate
	// ClientProblem is why a dockerd with this ca.pem refuses docker's own certificate, or nil.
	ClientProblem  *certs.Problem `json:"-"`
	ClientRejected string         `json:"client_rejected,omitempty"`
	ClientUnusable string         `json:"client_unusable,omitempty"`

	// HostOnlyNetwork means that the VM is on a host-only network, where docker-machine cannot find
	// the address for which to make certificates.
	HostOnlyNetwork bool `json:"on_host_only_network,omitempty"`

	// Facts are the docker host's; nil if they were not needed, or if asking failed with FactsErr.
	Facts    *dockerhost.Facts `json:"-"`
	FactsErr error             `json:"-"`

	Reissue Reissue `json:"reissue,omitzero"`
	Shared  Shared  `json:"shared,omitzero"`
}

// Layer returns the layer for the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "tls", Needs: []string{"machine"}, Local: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Machine: t.Machine.Name, Requested: t.Reissue && !hostchange.Reissued(t)}
	e := t.Endpoints.ForDocker(ctx)
	s.Need, s.Want = t.Endpoints.CertNames(ctx, e)
	if !t.Mode.IsQuick() {
		running, err := t.VM.Running(ctx)
		if err != nil {
			return nil, err
		}
		if s.NotRunning = !running; s.NotRunning {
			return s, nil
		}
	}
	answer := t.Endpoints.Served(ctx, e)
	if (t.Mode.IsQuick() || t.Mode.IsRepair()) && answer.Verified() {
		if good := s.withoutLogin(ctx, t, answer); good.fine() {
			return good, nil
		}
	}
	if !t.Mode.IsQuick() {
		facts, err := t.Guest.Facts(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if s.FactsErr = err; err == nil {
			s.Facts = &facts
		}
		s.SSHDown = err != nil && !access.Skipped(err) && t.SSH.Exists()
	}
	chain := s.look(ctx, t, answer)
	if s.due() && len(chain) > 0 {
		s.Reissue = tryReissue(ctx, t, s, chain[0])
	}
	s.HostOnlyNetwork = !t.Mode.IsQuick() && t.VM.OnHostOnlyNetwork(ctx)
	s.Shared = shared(ctx, t, s)
	return s, nil
}

// withoutLogin returns what can be known without reading the docker host's disk. If that is enough
// for a repair, it does not log in.
func (s State) withoutLogin(ctx context.Context, t *target.Target, answer endpoint.Answer) State {
	cas, err := t.Endpoints.CAs(ctx)
	if err != nil {
		return s
	}
	s.served(answer)
	if own, err := t.Endpoints.StoreCert(ctx); err == nil {
		s.Store = certs.Summarize(own)
	}
	s.judge(t, cas, answer.Chain())
	return s
}

// fine reports whether the served certificate needs no change.
func (s State) fine() bool { return s.Served != nil && !s.due() && len(s.Verdict.Causes) == 0 }

// look compares the served certificate with its copies, and judges it. It returns the chain that it
// judged, or nil if there was none or no CA to judge it by.
func (s *State) look(ctx context.Context, t *target.Target, answer endpoint.Answer) (chain []*x509.Certificate) {
	if s.Other = answer.Identity == endpoint.Other; !s.Other && answer.Leaf != nil {
		chain = answer.Chain()
		s.served(answer)
	}
	roots, rootsErr := t.Endpoints.CAs(ctx)
	s.client(ctx, t, roots, answer)
	if s.Facts != nil {
		if disk := s.disk(t); chain == nil {
			chain = disk
		}
	}
	if own, err := t.Endpoints.StoreCert(ctx); err == nil {
		s.Store = certs.Summarize(own)
		if chain == nil && s.Broken != "" {
			chain = []*x509.Certificate{own} // what dockerd used before the file was broken
		}
	}
	switch {
	case chain == nil:
		return nil
	case rootsErr != nil:
		s.Verdict.Causes = []certs.Problem{{Kind: certs.CAUnusable, Text: rootsErr.Error(), Err: rootsErr}}
		return nil
	}
	if s.Facts != nil {
		if theirs, err := certs.ParseCerts(s.Facts.CA.Data); err == nil {
			s.ForeignCA = !slices.ContainsFunc(theirs, func(c *x509.Certificate) bool { return slices.ContainsFunc(roots, c.Equal) })
		}
	}
	s.judge(t, roots, chain)
	return chain
}

func (s *State) served(answer endpoint.Answer) {
	s.Served, s.NoClientAuth = certs.Summarize(answer.Leaf), answer.NoClientAuth
}

// client reads the client certificate that docker presents, and records whether dockerd accepted
// it.
func (s *State) client(ctx context.Context, t *target.Target, roots []*x509.Certificate, answer endpoint.Answer) {
	if err := answer.Rejected(); err != nil {
		s.ClientRejected = err.Error()
	}
	if err := answer.ClientUnusable(); err != nil {
		s.ClientUnusable = err.Error()
	}
	own, err := t.Endpoints.ClientCert(ctx)
	if err != nil {
		return // docker cannot use it either; ClientUnusable reports that
	}
	s.Client = certs.Summarize(own)
	if causes := certs.JudgeClient(roots, []*x509.Certificate{own}, t.Now()).Causes; len(roots) > 0 && len(causes) > 0 {
		s.ClientProblem = &causes[0]
	}
}

// disk returns the chain on the docker host's disk; nil if there is none.
func (s *State) disk(t *target.Target) []*x509.Certificate {
	s.ClockSkew = s.Facts.ClockSkew(t.Now())
	file := s.Facts.Cert
	disk, err := certs.ParseCert(file.Data)
	switch {
	case err == nil:
		s.Disk = certs.Summarize(disk)
		key := s.Facts.PublicKey()
		s.KeyMismatch = key != nil && !certs.SameKey(key, disk.PublicKey)
		chain := []*x509.Certificate{disk}
		all, _ := certs.ParseCerts(file.Data)
		for _, c := range all {
			if !c.Equal(disk) {
				chain = append(chain, c)
			}
		}
		return chain
	case file.Found:
		s.Broken = fmt.Sprintf("%s on the docker host holds no certificate that can be read (%v)", file.Path, errors.Unwrap(err))
	case file.Error == "" && file.From != "default":
		s.Broken = fmt.Sprintf("there is no %s on the docker host, which dockerd is configured to use", file.Path)
	}
	return nil
}

func (s *State) judge(t *target.Target, roots, chain []*x509.Certificate) {
	name := ""
	if len(s.Need) > 0 {
		name = s.Need[0]
	}
	s.Verdict = certs.Judge(roots, chain, name, t.Now())
	for _, p := range certs.MissingNames(chain[0], s.Want) {
		if !slices.Contains(s.Need, p.Name) {
			s.Missing = append(s.Missing, p.Name)
		}
	}
	s.Renewable = certs.Renewable(chain[0], s.Verdict.Root, t.Now())
}
