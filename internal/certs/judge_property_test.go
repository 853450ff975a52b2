package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/go-connections/tlsconfig"
)

// TestTheVerdictIsDockers compares Judge with crypto/tls under the configuration of
// docker's client, over many generated chains: a quarter of them in handshakes, the others
// as a handshake verifies. DVH_SEED tries others.
func TestTheVerdictIsDockers(t *testing.T) {
	const chains = 20_000
	seed := seed(t)
	f := newForge(t)
	var mu sync.Mutex
	accepted, seen := 0, map[Kind]int{}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		wg.Go(func() {
			for n := worker; n < chains && !t.Failed(); n += workers {
				s := f.draw(rand.New(rand.NewPCG(seed, uint64(n))), forServers)
				v := s.judge()
				docker := s.verify
				if n%4 == 0 {
					docker = s.handshake
				}
				if err := s.compare(v, docker()); err != nil {
					t.Errorf("DVH_SEED=%d, chain %d: %v\n%s", seed, n, err, s)
				}
				mu.Lock()
				if len(v.Causes) == 0 {
					accepted++
				}
				for _, p := range v.Causes {
					seen[p.Kind]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	t.Logf("%d of %d accepted; causes %v", accepted, chains, seen)
	if accepted < chains/5 || accepted > chains/2 {
		t.Errorf("%d of %d chains were accepted: a comparison wants both", accepted, chains)
	}
	for _, kind := range []Kind{NameMissing, AddressMissing, Expired, NotYetValid, WrongCA, NoServerAuth, WeakSignature, Unverifiable, CAExpired, CANotYetValid, CAUnusable} {
		if seen[kind] < chains/1000 {
			t.Errorf("%s was the cause of %d chains only", kind, seen[kind])
		}
	}
}

// TestTheVerdictOnClientsIsDockerds compares JudgeClient with crypto/tls as dockerd
// configures it with --tlsverify, in handshakes.
func TestTheVerdictOnClientsIsDockerds(t *testing.T) {
	const chains = 2_000
	seed := seed(t)
	f := newForge(t)
	accepted := 0
	for n := range uint64(chains) {
		s := f.draw(rand.New(rand.NewPCG(seed, n)), forClients)
		v := Verdict{Causes: []Problem{{Kind: CAUnusable, Text: "ca.pem has no certificate"}}}
		if roots, err := ParseCerts(s.caPEM); err == nil {
			v = JudgeClient(roots, s.chain, s.now)
		}
		if refusal := s.asClient(); (refusal == nil) != (len(v.Causes) == 0) {
			t.Fatalf("DVH_SEED=%d, chain %d: dockerd: %v\njudged: %+v\n%s", seed, n, refusal, v.Causes, s)
		}
		if len(v.Causes) == 0 {
			accepted++
		}
	}
	t.Logf("%d of %d accepted", accepted, chains)
	if accepted < chains/5 || accepted > chains*4/5 {
		t.Errorf("%d of %d chains were accepted: a comparison wants both", accepted, chains)
	}
}

func seed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(20261125)
	if s := os.Getenv("DVH_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DVH_SEED=%d", seed)
	return seed
}

// scene is a server, and a client with its ca.pem. The other way round it is a client, and
// a dockerd with its ca.pem.
type scene struct {
	caPEM []byte
	chain []*x509.Certificate
	key   any             // of the first in chain
	peer  tls.Certificate // the other side's, where it needs one
	name  string
	now   time.Time
	tls12 bool
}

func (s scene) judge() Verdict {
	roots, err := ParseCerts(s.caPEM)
	if err != nil {
		return Verdict{Causes: []Problem{{Kind: CAUnusable, Text: err.Error(), Err: err}}}
	}
	return Judge(roots, s.chain, s.name, s.now)
}

// compare is nil if a verdict is docker's, with causes that make sense.
func (s scene) compare(v Verdict, refusal error) error {
	var other *otherFailure
	switch {
	case errors.As(refusal, &other):
		return refusal
	case (refusal == nil) != (len(v.Causes) == 0):
		return fmt.Errorf("docker: %v\njudged: %+v", refusal, v.Causes)
	case refusal == nil:
		return s.noFalseCause()
	}
	for _, p := range v.Causes {
		if p.Kind == "" || p.Text == "" || p.Kind == ExpiresSoon || p.Kind == CAExpiresSoon {
			return fmt.Errorf("%+v is no cause", p)
		}
	}
	return nil
}

// noFalseCause is an error if the search for causes finds one where there is none.
func (s scene) noFalseCause() error {
	roots, err := ParseCerts(s.caPEM)
	if err != nil {
		return err
	}
	search := search{roots: roots, sent: s.chain[1:]}
	search.from(s.chain[:1])
	if len(search.chains) == 0 {
		return errors.New("docker accepts, and no chain is found")
	}
	if causes := (role{usage: x509.ExtKeyUsageServerAuth}).best(search.chains, s.now).causes; len(causes) > 0 {
		return fmt.Errorf("docker accepts, and yet %+v", causes)
	}
	return nil
}

// otherFailure is a handshake that failed for another reason than the certificate.
type otherFailure struct{ error }

// errCAs is docker's error for a ca.pem without a certificate (docker/cli,
// cli/context/docker/load.go).
var errCAs = errors.New("ca.pem seems invalid")

// verify is how a docker client refuses the server, nil if it connects: what
// verifyServerCertificate in crypto/tls/handshake_client.go does.
func (s scene) verify() error {
	roots, sent := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	for i, c := range s.chain {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > 8192 {
			return errors.New("tls: server sent certificate containing RSA key larger than 8192 bits")
		}
		if i > 0 {
			sent.AddCert(c)
		}
	}
	leaf := s.chain[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: s.now, DNSName: s.name, Intermediates: sent}); err != nil {
		return err
	}
	switch leaf.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("tls: server's certificate contains an unsupported type of public key: %T", leaf.PublicKey)
}

// handshake is how a docker client refuses the server in a real handshake.
func (s scene) handshake() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	config := tlsconfig.ClientDefault(func(c *tls.Config) {
		c.RootCAs, c.ServerName, c.Time = pool, s.name, func() time.Time { return s.now }
		c.CurvePreferences = []tls.CurveID{tls.X25519} // the fastest; it does not bear on the verdict
	})
	if config.InsecureSkipVerify || config.MinVersion != tls.VersionTLS12 {
		return &otherFailure{errors.New("this is not docker's configuration")}
	}
	pair := tls.Certificate{PrivateKey: s.key}
	for _, c := range s.chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	served := &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true}
	if s.tls12 {
		served.MaxVersion = tls.VersionTLS12
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		q := newQueue(server)
		_ = tls.Server(q, served).Handshake()
		close(q.writes)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := tls.Client(client, config).HandshakeContext(ctx)
	var refused *tls.CertificateVerificationError
	if err == nil || errors.As(err, &refused) || strings.Contains(err.Error(), "unsupported type of public key") || strings.Contains(err.Error(), "RSA key larger than") {
		return err
	}
	return &otherFailure{err}
}

// asClient is how a dockerd refuses a client in a real handshake.
func (s scene) asClient() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	config := tlsconfig.ServerDefault(func(c *tls.Config) {
		c.ClientCAs, c.ClientAuth, c.Certificates = pool, tls.RequireAndVerifyClientCert, []tls.Certificate{s.peer}
		c.Time, c.SessionTicketsDisabled, c.CurvePreferences = func() time.Time { return s.now }, true, []tls.CurveID{tls.X25519}
	})
	pair := tls.Certificate{PrivateKey: s.key}
	for _, c := range s.chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		q := newQueue(client)
		// GetClientCertificate, and not Certificates: it is to be shown whatever CAs are asked for.
		c := tls.Client(q, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }})
		_ = c.Handshake()
		close(q.writes)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q := newQueue(server)
	defer close(q.writes)
	return tls.Server(q, config).HandshakeContext(ctx)
}

// queue is a connection whose writes do not wait for the reader, as TCP's do not for
// as little as a handshake: a client that refuses in the middle of it reads no more.
type queue struct {
	net.Conn
	writes chan []byte
}

func newQueue(c net.Conn) queue {
	q := queue{c, make(chan []byte, 16)}
	go func() {
		for p := range q.writes {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	}()
	return q
}

func (q queue) Write(p []byte) (int, error) {
	q.writes <- slices.Clone(p)
	return len(p), nil
}

func (s scene) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, ca.pem:\n%s", s.name, s.now.Format(time.RFC3339), s.caPEM)
	for _, c := range s.chain {
		b.Write(EncodeCert(c))
	}
	return b.String()
}
