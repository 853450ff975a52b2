package tls

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Reissue is what a new certificate requires, if one is due.
type Reissue struct {
	// Request describes the new certificate, but not the CA that signs it.
	Request certs.Request `json:"-"`
	// Refused is why docker would not accept what the machine CA signs, according to a trial, or
	// nil.
	Refused *certs.Problem `json:"-"`
	// Containers are those that restarting dockerd stops.
	Containers []string `json:"containers,omitempty"`
	StorePath  string   `json:"-"`
	// ConfigPath is config.json. Unlisted are the names that docker-machine would omit from its next
	// certificate, NotEditable is why they cannot be added there, or "".
	ConfigPath  string   `json:"-"`
	Unlisted    []string `json:"unlisted_names,omitempty"`
	NotEditable string   `json:"config_not_editable,omitempty"`
}

// due reports whether docker needs a reissue to work through the endpoint. Other missing names are
// no reason: each reissue restarts dockerd.
func (s State) due() bool {
	switch {
	case s.Requested:
		return true
	case s.ForeignCA:
		// A certificate from our CA would not make dockerd accept our client certificate.
		return false
	case s.KeyMismatch, s.Broken != "" && s.Served == nil, len(s.Verdict.Causes) > 0:
		return true
	case s.Renewable && slices.ContainsFunc(s.Verdict.Expiring, func(p certs.Problem) bool { return p.Kind == certs.ExpiresSoon }):
		return true
	}
	return slices.Contains(s.Missing, endpoint.Localhost)
}

// tryReissue finds out what a new certificate in place of old requires. It signs one and discards
// it.
func tryReissue(ctx context.Context, t *target.Target, s State, old *x509.Certificate) Reissue {
	r := Reissue{Request: certs.Request{Old: old, PublicKey: old.PublicKey, Names: s.Want}, StorePath: t.Machine.ServerCert}
	if s.Facts != nil {
		r.Request.RemoteNow = s.Facts.Now
		if key := s.Facts.PublicKey(); key != nil {
			r.Request.PublicKey = key
		}
	}
	if _, err := hostchange.Sign(ctx, t, r.Request); err != nil {
		if !errors.As(err, &r.Refused) || !r.Refused.OfCA() {
			r.Refused = &certs.Problem{Kind: certs.CAUnusable, Text: err.Error(), Err: err}
		}
		return r
	}
	if s.impossible() != "" {
		return r
	}
	if !t.Mode.IsQuick() {
		r.Containers = t.Guest.StoppedByRestart(ctx)
	}
	r.ConfigPath = t.Machine.ConfigPath()
	var err error
	if r.Unlisted, err = hostchange.UnlistedNames(ctx, t); err != nil {
		r.NotEditable = err.Error()
	}
	return r
}

// impossible returns why a reissue cannot be done although the certificate could be signed, or "".
// It is known before anything is written.
func (s State) impossible() string {
	switch {
	case s.FactsErr != nil && !access.Skipped(s.FactsErr):
		return access.NoFacts(s.FactsErr)
	case s.Facts == nil:
		return ""
	case !s.Facts.Root:
		return "sudo is refused on the docker host: " + s.Facts.SudoError
	case endpoint.HoldsKey(s.Facts.Cert.Data):
		return s.Facts.Cert.Path + " on the docker host holds a private key as well, which has to be in a file of its own"
	case !s.Facts.Client:
		return "the docker host has no docker command, by which a restart of dockerd is watched and its containers are started again"
	case s.Facts.NoSocket():
		return "dockerd on the docker host has no unix socket (-H), by which a restart is watched and its containers are started again"
	case s.Facts.Init == "":
		return "the docker host has no /etc/init.d/docker, docker.service or /etc/init/docker.conf to restart dockerd with"
	}
	return ""
}

// impossibleHint returns what to do about that. If the login failed, doctor reports more: cert
// renew does not inspect the ssh layer before this one.
func (s State) impossibleHint() hint.Hint {
	switch {
	case s.FactsErr == nil:
		return hint.Explain("tls.reissue-impossible")
	case !access.HostKeyChanged(s.FactsErr):
		return hint.Own("doctor", hint.Machine)
	case s.Requested:
		return hint.Fix("--accept-host-key", "--reissue")
	}
	return hint.Fix("--accept-host-key")
}

// signable reports whether a reissue is due, and whether the machine CA can sign what docker
// accepts.
func (s State) signable() bool {
	return s.due() && s.Reissue.Request.Old != nil && s.Reissue.Refused == nil
}

// planned reports whether a repair reissues the certificate.
func (s State) planned() bool { return s.signable() && s.impossible() == "" }

func (s State) Changes() []engine.Change {
	if !s.planned() {
		return nil
	}
	r := s.Reissue
	plan := []engine.Change{&hostchange.Reissue{Machine: s.Machine, Names: r.Request.Names, Containers: r.Containers, StorePath: r.StorePath,
		Request: r.Request, NotKept: r.NotEditable}}
	if len(r.Unlisted) > 0 && r.NotEditable == "" {
		plan = append(plan, &hostchange.AddSANs{Path: r.ConfigPath, Machine: s.Machine, Names: r.Unlisted})
	}
	return plan
}
