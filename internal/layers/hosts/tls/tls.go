// Package tls is the layer of TLS with a tcp:// docker host: does docker's client accept the server
// certificate, and dockerd the client certificate?
package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// probeTime is the timeout of the connection, and of the handshake.
const probeTime = 2 * time.Second

// State is what was found.
type State struct {
	At      string `json:"at"`
	CertDir string `json:"cert_dir,omitempty"`
	Plain   bool   `json:"plain,omitempty"`   // docker does not use TLS
	Context string `json:"context,omitempty"` // the docker context; "" if DOCKER_HOST is used
	// SkipVerify means that docker accepts any server certificate.
	SkipVerify bool `json:"skip_verify,omitempty"`

	// For these two the layer daemon reports the problem.
	NoConnection bool `json:"no_connection,omitempty"`
	Silent       bool `json:"silent,omitempty"` // no answer to the handshake

	SpeaksTLS bool   `json:"speaks_tls"`        // a handshake was possible
	NotTLS    bool   `json:"not_tls,omitempty"` // the server does not use TLS
	Error     string `json:"error,omitempty"`   // of the handshake

	FilesErr string          `json:"files_error,omitempty"`                 // why the client's TLS files cannot be used
	Causes   []certs.Problem `json:"causes,omitempty"`                      // why docker refuses the server certificate
	Expiring []certs.Problem `json:"expiring,omitempty"`                    // what will expire soon
	Rejected string          `json:"client_certificate_rejected,omitempty"` // why the server refuses the client certificate
	// Outdated is why the rejected client certificate is not valid now; "" if it is.
	Outdated     string    `json:"client_certificate_outdated,omitempty"`
	NoClientAuth bool      `json:"no_client_auth,omitempty"` // the server does not ask for a client certificate
	Until        time.Time `json:"until,omitzero"`           // when the server certificate expires
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "tls", Needs: []string{"route"}, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{At: t.TCP.Addr, Plain: !t.TCP.TLS, Context: t.Context, SkipVerify: t.TCP.SkipVerify, CertDir: t.TCP.CertDir}
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime)
	defer cancel()
	config, err := t.ClientTLS(ctx)
	if err != nil && !s.Plain {
		s.FilesErr = err.Error()
	}
	if t.TCP.PerRequest() {
		return s, nil // a proxy that forwards single requests allows no handshake
	}
	dialing, cancelDial := context.WithTimeout(ctx, probeTime)
	conn, err := t.ConnectTCP(dialing)
	cancelDial()
	if err != nil {
		s.NoConnection = true
		return s, nil
	}
	defer conn.Close()
	shaking, cancelShake := context.WithTimeout(ctx, probeTime)
	defer cancelShake()
	client := dockerd.TLS{ServerName: t.TCP.Host()}
	if config != nil && len(config.Certificates) > 0 {
		client.Certificate = config.Certificates[0]
	}
	seen, err := dockerd.Handshake(shaking, conn, client)
	if err != nil {
		s.NotTLS, s.Silent = errors.Is(err, dockerd.ErrNotTLS), errors.Is(err, context.DeadlineExceeded)
		s.Error = err.Error()
		return s, nil
	}
	s.SpeaksTLS = true
	if s.Plain || s.FilesErr != "" {
		return s, nil
	}
	s.NoClientAuth, s.Until = !seen.ClientAuth, seen.Leaf.NotAfter
	s.judge(ctx, t, seen)
	var rejected *dockerd.RejectedError
	if _, err := seen.Ping(shaking); errors.As(err, &rejected) {
		s.Rejected, s.Outdated = rejected.Error(), outdated(client.Certificate, t.Now())
	}
	return s, nil
}

// outdated is the statement about a client certificate that is not valid now. Its CA is the
// server's to know: the one in ca.pem is the server's own.
func outdated(pair tls.Certificate, now time.Time) string {
	if pair.Leaf == nil {
		return ""
	}
	for _, p := range certs.JudgeClient(nil, []*x509.Certificate{pair.Leaf}, now).Causes {
		if p.Kind == certs.Expired || p.Kind == certs.NotYetValid {
			return p.Text
		}
	}
	return ""
}

// judge finds out whether docker's client accepts the server's certificate.
func (s *State) judge(ctx context.Context, t *target.Target, seen *dockerd.Seen) {
	if s.SkipVerify {
		return
	}
	data, err := t.Laptop.ReadFile(ctx, filepath.Join(t.TCP.CertDir, "ca.pem"))
	if err != nil {
		return // ClientTLS has reported it
	}
	roots, err := certs.ParseCerts(data)
	if err != nil {
		s.FilesErr = err.Error()
		return
	}
	v := certs.Judge(roots, seen.Chain, t.TCP.Host(), t.Now())
	s.Causes, s.Expiring = v.Causes, v.Expiring
}

// Changes returns none: the docker host's administrator makes its certificates.
func (State) Changes() []engine.Change { return nil }
