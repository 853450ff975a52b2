package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// MaxLife is how long a reissued certificate is valid. Apple's platforms refuse a TLS server
// certificate that is valid for more than 825 days (support.apple.com HT210176). They count both
// ends, therefore it is a second less.
const MaxLife = 825*24*time.Hour - time.Second

// backdate is how long before the earlier of the two clocks a reissued certificate becomes valid,
// as with docker-machine (docker/machine b170508b, libmachine/cert/cert.go).
const backdate = 5 * time.Minute

// maxSkew is how far back the docker host's clock is taken into account. A docker host that starts
// in 1970 must not move the certificate's end into the past together with its start.
const maxSkew = 30 * 24 * time.Hour

// Request asks for a server certificate that replaces an old one.
type Request struct {
	// Old is the old certificate, whose subject, names and use as a client the new one keeps.
	Old *x509.Certificate
	// PublicKey is the server's key, which stays the same. The private half is not needed and never
	// leaves the docker host.
	PublicKey crypto.PublicKey
	CA        *x509.Certificate
	CAKey     crypto.Signer
	// Names are DNS names or IP addresses to add to Old's.
	Names []string
	// Now and RemoteNow are the laptop's and the docker host's times. A zero RemoteNow counts as
	// Now.
	Now, RemoteNow time.Time
	// Rand is the source of randomness for the serial number and the signature; nil means
	// crypto/rand's.
	Rand io.Reader
}

// Reissue signs the certificate and returns it as PEM. Its key usages and basic constraints are
// docker-machine's (docker/machine b170508b, libmachine/cert/cert.go: keyEncipherment,
// digitalSignature, keyAgreement; serverAuth, and clientAuth if Old has it; CA false). It is valid
// from backdate before the earlier clock and for MaxLife, but not longer than the CA. Reissue
// verifies the result against the CA for each name. If the CA is the reason for an error, that is a
// *Problem of one of the CA's kinds.
func Reissue(r Request) ([]byte, error) {
	if err := r.complete(); err != nil {
		return nil, fmt.Errorf("reissuing the server certificate: %w", err)
	}
	if p := unsuitable(r.CA, r.CAKey.Public(), r.Now); p != nil {
		return nil, p
	}
	template := &x509.Certificate{
		RawSubject:            r.Old.RawSubject,
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		EmailAddresses:        r.Old.EmailAddresses,
		URIs:                  r.Old.URIs,
	}
	if slices.Contains(r.Old.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(r.Old.ExtKeyUsage, x509.ExtKeyUsageAny) {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	names, odd, err := mergeNames(r.Old, r.Names)
	if err != nil {
		return nil, fmt.Errorf("reissuing the server certificate: %w", err)
	}
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	template.DNSNames = append(template.DNSNames, odd...)
	template.NotBefore, template.NotAfter = validity(r.CA, r.Now, r.RemoteNow)

	random := r.Rand
	if random == nil {
		random = rand.Reader
	}
	if template.SerialNumber, err = serial(random); err != nil {
		return nil, fmt.Errorf("reissuing the server certificate: %w", err)
	}
	der, err := x509.CreateCertificate(random, template, r.CA, r.PublicKey, r.CAKey)
	if err != nil {
		return nil, fmt.Errorf("reissuing the server certificate: signing: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reissuing the server certificate: reading it back: %w", err)
	}
	refused := Judge([]*x509.Certificate{r.CA}, []*x509.Certificate{cert}, "", r.Now).Causes
	if refused = append(refused, MissingNames(cert, names)...); len(refused) > 0 {
		return nil, fmt.Errorf("reissuing the server certificate: docker would refuse the new one: %w", &refused[0])
	}
	return EncodeCert(cert), nil
}

// complete returns an error if the request lacks something.
func (r Request) complete() error {
	switch {
	case r.Old == nil || r.CA == nil || r.CAKey == nil || r.Now.IsZero():
		return errors.New("the request lacks the old certificate, the CA, its key or the time")
	case !supported(r.PublicKey):
		return fmt.Errorf("the server's key: %w", ErrKeyType)
	}
	return nil
}

// Renewable reports whether a certificate that is reissued now would be valid for longer than old.
// One that ends with its CA would not; reissuing it would restart dockerd in vain, at each run.
func Renewable(old, ca *x509.Certificate, now time.Time) bool {
	_, end := validity(ca, now, now)
	return !now.After(ca.NotAfter) && end.After(old.NotAfter)
}

// validity returns the validity period of a certificate that is issued now, in whole seconds.
func validity(ca *x509.Certificate, now, remote time.Time) (from, until time.Time) {
	earlier := now
	if !remote.IsZero() && remote.Before(now) {
		earlier = remote
	}
	if oldest := now.Add(-maxSkew); earlier.Before(oldest) {
		earlier = oldest
	}
	from = earlier.Add(-backdate).UTC().Truncate(time.Second)
	if from.Before(ca.NotBefore) {
		from = ca.NotBefore
	}
	until = from.Add(MaxLife)
	if until.After(ca.NotAfter) {
		until = ca.NotAfter
	}
	return from, until
}

// serial returns a positive random number of 128 bits.
func serial(random io.Reader) (*big.Int, error) {
	n, err := rand.Int(random, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	if n.Sign() == 0 {
		n.SetInt64(1)
	}
	return n, nil
}

// mergeNames returns the names of old followed by more, without repetitions. odd are names of old
// that no client can use; they are kept. If old has no names, the subject's common name counts:
// some certificates were made that way before 2016.
func mergeNames(old *x509.Certificate, more []string) (names, odd []string, err error) {
	seen := map[string]bool{}
	add := func(name string) bool {
		if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
			name = ip.Unmap().String()
		} else if !dnsName(name) {
			return false
		}
		if key := strings.ToLower(name); !seen[key] {
			seen[key] = true
			names = append(names, name)
		}
		return true
	}
	existing := NamesOf(old)
	if cn := old.Subject.CommonName; len(existing) == 0 && dnsName(cn) {
		existing = []string{cn}
	}
	for _, n := range existing {
		if !add(n) {
			odd = append(odd, n)
		}
	}
	for _, n := range more {
		if !add(n) {
			return nil, nil, fmt.Errorf("%q is neither a host name nor an IP address", n)
		}
	}
	return names, odd, nil
}

// labelBytes are the bytes of a label. Do not lowercase names before checking them: "İ" becomes an
// ASCII "i", and x509 then refuses the name (found by fuzzing).
const labelBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// dnsName reports whether a name may be in a certificate and can match something: labels of
// letters, digits, dashes and underscores, of which the first may be "*".
func dnsName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for i, label := range strings.Split(name, ".") {
		if label == "*" && i == 0 && strings.Contains(name, ".") {
			continue
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, labelBytes) != "" {
			return false
		}
	}
	return true
}
