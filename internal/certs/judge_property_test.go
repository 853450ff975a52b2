package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
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

// TestAReissueIsAcceptedOrRefused: what Reissue signs docker accepts, whatever the CA is
// like, so that a repair that was planned cures what it is for.
func TestAReissueIsAcceptedOrRefused(t *testing.T) {
	const chains = 2_000
	seed := seed(t)
	f := newForge(t)
	cured, hopeless := 0, 0
	for n := range uint64(chains) {
		s := f.draw(rand.New(rand.NewPCG(seed, n)), forServers)
		roots, err := ParseCerts(s.caPEM)
		if err != nil || !slices.ContainsFunc(roots, s.ca.cert.Equal) || len(s.judge().Causes) == 0 {
			continue
		}
		text, err := Reissue(Request{Old: s.chain[0], PublicKey: s.chain[0].PublicKey, CA: s.ca.cert, CAKey: s.ca.key, Names: []string{s.name}, Now: s.now})
		if err != nil {
			hopeless++
			continue
		}
		fresh, err := ParseCert(text)
		if err != nil {
			t.Fatal(err)
		}
		cured++
		if s.chain = []*x509.Certificate{fresh}; s.verify() != nil {
			t.Fatalf("DVH_SEED=%d, chain %d: docker refuses the new certificate: %v\n%s", seed, n, s.verify(), s)
		}
	}
	t.Logf("%d cured, %d refused", cured, hopeless)
	if cured < chains/10 || hopeless < chains/20 {
		t.Errorf("%d cured, %d refused: both should be frequent", cured, hopeless)
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
	ca    authority // the one at the root of the chain
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

func (s scene) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, ca.pem:\n%s", s.name, s.now.Format(time.RFC3339), s.caPEM)
	for _, c := range s.chain {
		b.Write(EncodeCert(c))
	}
	return b.String()
}
