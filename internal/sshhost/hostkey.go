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

// hostKeyCheck compares the server's key with the known one.
type hostKeyCheck struct {
	known  ssh.PublicKey // nil where none is known yet
	newKey func(line []byte) error
	got    ssh.PublicKey
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

// check is called again when the keys are renewed on a long connection; then
// the key must be the one from the beginning.
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

// algorithms are the host key algorithms to ask for. Those of the pinned key's type come
// first: a server with several host keys would otherwise show another than the pinned
// one, which looks like a changed key.
func (c *hostKeyCheck) algorithms() []string {
	var first []string
	switch {
	case c.known == nil:
		// As OpenSSH's ssh does since 8.5: some servers list types that they have no key of
		// (dropbear 2022.83 with an Ed25519 key alone lists RSA, and dies when asked for it).
		first = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}
	case c.known.Type() == ssh.KeyAlgoRSA:
		first = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	default:
		first = []string{c.known.Type()}
	}
	return union(first, union(ssh.SupportedAlgorithms().HostKeys, ssh.InsecureAlgorithms().HostKeys))
}

// withoutSignals leaves out the names that are signals and not algorithms (RFC 8308, and
// OpenSSH's "strict key exchange").
func withoutSignals(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return strings.HasPrefix(n, "ext-info-") || strings.HasPrefix(n, "kex-strict-")
	})
}

// union is a, followed by what b has besides.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// insecure lists what x/crypto/ssh calls insecure of the algorithms agreed upon.
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
