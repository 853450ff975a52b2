package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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
	seed := uint64(20261125)
	if s := os.Getenv("DVH_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DVH_SEED=%d", seed)
	f := newForge(t)
	var mu sync.Mutex
	accepted, seen := 0, map[Kind]int{}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		wg.Go(func() {
			for n := worker; n < chains && !t.Failed(); n += workers {
				s := f.draw(rand.New(rand.NewPCG(seed, uint64(n))))
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

// scene is a server, and a client with its ca.pem.
type scene struct {
	caPEM []byte
	chain []*x509.Certificate
	key   any // the server's
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
	if causes := best(search.chains, s.now).causes; len(causes) > 0 {
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

// odds is a source of rare events.
type odds struct{ *rand.Rand }

// in reports one event of n.
func (o odds) in(n int) bool { return o.IntN(n) == 0 }

// rarely is one of the n values, mostly 0.
func (o odds) rarely(n int) int {
	if o.IntN(12) > 0 {
		return 0
	}
	return o.IntN(n)
}

// draw makes a server's chain, from the root down, and a client that may know it.
func (f *forge) draw(r *rand.Rand) scene {
	o := odds{r}
	above := spec{name: 0, key: o.rarely(len(f.ca))}
	above.issuer, above.issuerKey = above.name, above.key
	authorities := []spec{f.authority(o, above)}
	depth := []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[o.IntN(10)]
	for i := range depth {
		parent := authorities[len(authorities)-1]
		authorities = append(authorities, f.authority(o, spec{name: i + 1, key: (parent.key + 1) % 5, issuer: parent.name, issuerKey: parent.key}))
	}
	parent := authorities[depth]
	leaf := spec{name: 10, key: o.rarely(len(f.leaf)), issuer: parent.name, issuerKey: parent.key, dates: o.rarely(len(spans)), eku: o.rarely(len(ekus)),
		usage: o.rarely(len(leafUsages)), sans: o.rarely(len(sans)), critical: o.in(60), weak: o.in(60), broken: o.in(60), keyID: o.in(3), oddKey: o.in(100), noBasic: o.in(20)}
	if o.in(30) { // the issuer's name, and another key
		leaf.issuerKey = (leaf.issuerKey + 1) % 5
	}
	s := scene{key: f.leaf[leaf.key], now: now(), tls12: o.in(4)}
	if o.in(5) {
		s.now = s.now.Add(500 * time.Millisecond)
	}
	names := []string{"localhost", "192.168.99.100", "127.0.0.1", "::1", "docker.example", "LOCALHOST", "docker.example.", "10.0.0.1"}
	s.name = names[0]
	if o.in(4) {
		s.name = names[o.IntN(len(names))]
	}
	own := f.make(leaf)
	s.caPEM = f.caPEM(o, authorities, own)
	s.chain = append([]*x509.Certificate{own}, f.sent(o, authorities, own)...)
	return s
}

// authority gives a CA its faults, which are rare.
func (f *forge) authority(o odds, s spec) spec {
	s.ca, s.eku = true, 1
	if o.in(15) {
		s.eku = o.IntN(len(ekus))
	}
	s.dates, s.usage, s.constraints, s.pathLen = o.rarely(len(spans)), o.rarely(len(caUsages)), o.rarely(len(constraints)), o.rarely(4)
	s.noBasic, s.critical, s.weak, s.broken = o.in(50), o.in(60), o.in(60), o.in(60)
	s.keyID, s.version1 = o.in(3), o.in(60)
	return s
}

// caPEM is the client's ca.pem: the root, mostly, and what else may be in it.
func (f *forge) caPEM(o odds, authorities []spec, leaf *x509.Certificate) []byte {
	root := authorities[0]
	var certs []*x509.Certificate
	if !o.in(20) {
		certs = append(certs, f.make(root))
	}
	twin := spec{name: root.name, key: (root.key + 2) % 5, issuer: root.name, issuerKey: (root.key + 2) % 5, ca: true, eku: 1}
	renewed := root
	renewed.dates, renewed.pathLen, renewed.eku = o.IntN(len(spans)), 0, 1
	other := spec{name: 20, key: 4, issuer: 20, issuerKey: 4, ca: true, eku: 1}
	for _, c := range []struct {
		n    int
		cert *x509.Certificate
	}{{12, f.make(twin)}, {12, f.make(renewed)}, {8, f.make(other)}, {30, leaf}, {20, f.make(authorities[len(authorities)-1])}} {
		if o.in(c.n) {
			certs = append(certs, c.cert)
		}
	}
	o.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
	var text []byte
	for _, c := range certs {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}
		switch {
		case o.in(60):
			block.Headers = map[string]string{"Comment": "x"}
		case o.in(60):
			block.Bytes = block.Bytes[:len(block.Bytes)-1]
		}
		text = append(text, pem.EncodeToMemory(block)...)
	}
	return text
}

// sent is what the server sends behind its own certificate.
func (f *forge) sent(o odds, authorities []spec, leaf *x509.Certificate) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, a := range slices.Backward(authorities[1:]) {
		if !o.in(15) {
			certs = append(certs, f.make(a))
		}
		if o.in(12) { // the same CA, signed by another that the client may know
			a.issuer, a.issuerKey, a.dates = 20, 4, 0
			certs = append(certs, f.make(a))
		}
		if o.in(20) { // and signed by one below it: a circle
			a.issuer, a.issuerKey = authorities[len(authorities)-1].name, authorities[len(authorities)-1].key
			certs = append(certs, f.make(a))
		}
	}
	if o.in(8) {
		certs = append(certs, f.make(authorities[0]))
	}
	if o.in(15) {
		certs = append(certs, f.make(spec{name: 21, key: 3, issuer: 22, issuerKey: 2, ca: true, eku: 1}))
	}
	if o.in(40) {
		certs = append(certs, leaf)
	}
	if o.in(60) {
		certs = append(certs, f.make(spec{name: 23, issuer: 20, issuerKey: 4, hugeKey: true}))
	}
	if len(certs) > 0 && o.in(10) {
		certs = append(certs, certs[0])
	}
	if o.in(1000) { // more than crypto/x509 looks at
		for i := range 2 * maxChecks {
			crowd := authorities[len(authorities)-1]
			crowd.key, crowd.issuer = (crowd.key+1)%5, 100+i
			certs = append(certs, f.make(crowd))
		}
	}
	if o.in(5) {
		o.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
	}
	return certs
}
