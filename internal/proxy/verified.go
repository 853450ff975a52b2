package proxy

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"
)

// verified is a cache of client certificates that were verified. The same clients connect again and
// again, and verifying a certificate is a sixth of the cost of a connection.
type verified struct {
	mu    sync.Mutex
	valid map[[sha256.Size]byte]period // by fingerprint
}

// period is the time in which all certificates of a chain are valid.
type period struct{ from, to time.Time }

// maxVerified is the size of the cache: far more than one CA has clients.
const maxVerified = 1024

// has reports whether what a client sent was verified, and is valid at the time now.
func (v *verified) has(sent []*x509.Certificate, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	p, ok := v.valid[fingerprint(sent)]
	return ok && !now.Before(p.from) && !now.After(p.to)
}

// add records that what a client sent was verified. chain is the chain from its certificate to the CA.
func (v *verified) add(sent, chain []*x509.Certificate) {
	p := period{chain[0].NotBefore, chain[0].NotAfter}
	for _, c := range chain[1:] {
		if c.NotBefore.After(p.from) {
			p.from = c.NotBefore
		}
		if c.NotAfter.Before(p.to) {
			p.to = c.NotAfter
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.valid == nil || len(v.valid) >= maxVerified {
		v.valid = map[[sha256.Size]byte]period{}
	}
	v.valid[fingerprint(sent)] = p
}

// fingerprint returns a hash of all certificates that a client sent.
func fingerprint(sent []*x509.Certificate) [sha256.Size]byte {
	h := sha256.New()
	for _, c := range sent {
		h.Write(c.Raw) // DER contains its length
	}
	return [sha256.Size]byte(h.Sum(nil))
}
