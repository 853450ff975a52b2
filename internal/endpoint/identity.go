package endpoint

import (
	"context"
	"crypto/x509"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
)

// Identity reports whether an answer is this machine's.
type Identity string

// The identities. All machines of a store share one CA and every good
// certificate names localhost, so only the key or the host-only address identifies a machine.
const (
	Unsure Identity = "unsure" // no certificate, or nothing to compare it with
	Mine   Identity = "mine"
	Other  Identity = "other"
)

// identify compares a served certificate with what the store knows of the
// machine: the key of its own server.pem, or a certificate that names its host-only address.
func (f *Finder) identify(ctx context.Context, leaf *x509.Certificate) Identity {
	own, err := f.StoreCert(ctx)
	if err == nil && certs.SameKey(own.PublicKey, leaf.PublicKey) {
		return Mine
	}
	if ip := f.Machine.IP; ip.IsValid() && leaf.VerifyHostname(ip.String()) == nil {
		// DHCP may have given the address to another machine since, whose certificate
		// was made anew for it.
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

// MachineBehind names the machine of the store that an answer belongs to; "" if none.
func (f *Finder) MachineBehind(ctx context.Context, a Answer) string {
	if a.Leaf == nil {
		return ""
	}
	return f.owner(ctx, a.Leaf)
}

// owner names the machine of the store that has a certificate's key; "" if none.
func (f *Finder) owner(ctx context.Context, leaf *x509.Certificate) string {
	owners, _ := f.Owners.Get(ctx, func() (map[string]string, error) { return f.owners(ctx), nil })
	return owners[certs.PublicKeyHash(leaf.PublicKey)]
}

// owners are the store's machines by the hash of their server's public key; of two
// with one key, the first.
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
