package endpoint

import (
	"context"
	"crypto/x509"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
)

// Identity is whether an answer comes from this machine.
type Identity string

// The identities. All machines of a store share one CA, and every good certificate names localhost.
// So only the key or the host-only address identifies a machine.
const (
	Unsure Identity = "unsure" // no certificate, or nothing to compare it with
	Mine   Identity = "mine"
	Other  Identity = "other"
)

// identify compares a served certificate with what the store knows about the machine: it must have
// the key of the store's server.pem, or name the machine's host-only address.
func (f *Finder) identify(ctx context.Context, leaf *x509.Certificate) Identity {
	own, err := f.StoreCert(ctx)
	if err == nil && certs.SameKey(own.PublicKey, leaf.PublicKey) {
		return Mine
	}
	if ip := f.Machine.IP; ip.IsValid() && leaf.VerifyHostname(ip.String()) == nil {
		// DHCP may have assigned the address to another machine since, and that machine's
		// certificate names it now.
		if f.owner(ctx, leaf) == "" {
			return Mine
		}
		return Other
	}
	if err != nil && !f.Machine.IP.IsValid() {
		return Unsure
	}
	return Other
}

// MachineBehind returns the name of the store's machine whose certificate was served; "" if there
// is none.
func (f *Finder) MachineBehind(ctx context.Context, a Answer) string {
	if a.Leaf == nil {
		return ""
	}
	return f.owner(ctx, a.Leaf)
}

// owner returns the name of the store's machine that has the certificate's key; "" if there is
// none.
func (f *Finder) owner(ctx context.Context, leaf *x509.Certificate) string {
	owners, _ := f.Owners.Get(ctx, func() (map[string]string, error) { return f.owners(ctx), nil })
	return owners[certs.PublicKeyHash(leaf.PublicKey)]
}

// owners returns the store's machines by the hash of their server's public key. If two have the
// same key, the first one counts.
func (f *Finder) owners(ctx context.Context) map[string]string {
	names, err := f.Store.Names(ctx)
	if err != nil {
		return nil
	}
	owners := map[string]string{}
	for _, name := range names {
		m, err := f.Store.Load(ctx, name)
		if err != nil {
			continue
		}
		cert, err := f.ReadCert(ctx, m.ServerCert)
		if err != nil {
			continue
		}
		if hash := certs.PublicKeyHash(cert.PublicKey); owners[hash] == "" {
			owners[hash] = name
		}
	}
	return owners
}
