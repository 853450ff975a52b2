package sshhost

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

var errHostKeyChanged = errors.New("the host key is not the one that is known")

// hostKeyCheck compares the server's host key with the known one.
type hostKeyCheck struct {
	known  ssh.PublicKey // nil if none is known yet
	newKey func(line []byte) error
	got    ssh.PublicKey // the server's
	err    error
}

func newHostKeyCheck(cfg Config) (*hostKeyCheck, error) {
	c := &hostKeyCheck{newKey: cfg.NewKey}
	if len(bytes.TrimSpace(cfg.KnownKey)) == 0 {
		if cfg.NewKey == nil {
			return nil, errors.New("the pinned host key is empty")
		}
		return c, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(cfg.KnownKey)
	if err != nil {
		return nil, fmt.Errorf("the pinned host key cannot be read: %w", err)
	}
	c.known = key
	return c, nil
}

// check returns an error unless the host key is the known one, or newKey accepts it. It is called
// again when a long connection renews its keys; then the key must be the same as before.
func (c *hostKeyCheck) check(key ssh.PublicKey) error {
	first, want := c.got == nil, c.known
	if want == nil {
		want = c.got
	}
	c.got = key
	switch {
	case want != nil && !bytes.Equal(want.Marshal(), key.Marshal()):
		c.err = errHostKeyChanged
	case want == nil && first:
		c.err = c.newKey(ssh.MarshalAuthorizedKey(key))
	}
	return c.err
}

// algorithms returns the host key algorithms to offer. Those of the known key's type come first:
// otherwise a server with several host keys might show another one, which would look like a changed
// key.
func (c *hostKeyCheck) algorithms() []string {
	var first []string
	switch {
	case c.known == nil:
		// The order of OpenSSH's ssh since 8.5. Some servers list types for which they have no key:
		// dropbear 2022.83 with only an Ed25519 key lists RSA, and crashes when asked for it.
		first = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}
	case c.known.Type() == ssh.KeyAlgoRSA:
		first = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	default:
		first = []string{c.known.Type()}
	}
	return union(first, union(ssh.SupportedAlgorithms().HostKeys, ssh.InsecureAlgorithms().HostKeys))
}

// withoutSignals returns the names without those that are not algorithms but signals (RFC 8308, and
// OpenSSH's "strict key exchange").
func withoutSignals(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return strings.HasPrefix(n, "ext-info-") || strings.HasPrefix(n, "kex-strict-")
	})
}

// union returns a, followed by what is only in b.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// insecure returns the negotiated algorithms that x/crypto/ssh calls insecure.
func insecure(n ssh.NegotiatedAlgorithms) (weak []string) {
	bad := ssh.InsecureAlgorithms()
	for _, agreed := range []struct {
		name     string
		insecure []string
	}{
		{n.KeyExchange, bad.KeyExchanges}, {n.HostKey, bad.HostKeys},
		{n.Read.Cipher, bad.Ciphers}, {n.Read.MAC, bad.MACs},
		{n.Write.Cipher, bad.Ciphers}, {n.Write.MAC, bad.MACs},
	} {
		if slices.Contains(agreed.insecure, agreed.name) && !slices.Contains(weak, agreed.name) {
			weak = append(weak, agreed.name)
		}
	}
	return weak
}
