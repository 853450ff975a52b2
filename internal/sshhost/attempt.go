package sshhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// attempt is one login on its way: what is learnt during it decides what its
// failure is called.
type attempt struct {
	start   time.Time
	addr    string
	user    string
	key     string // the user's, as a fingerprint
	meter   *meter
	pin     *pin
	banner  strings.Builder
	greeted int // the length of banner when it was the key's turn
	// What the server would take, what was tried and what was good but not enough.
	methods, tried, partial []string

	old bool // the server has agreed to outdated algorithms only
}

func (a *attempt) config(cfg Config, signer ssh.Signer) *ssh.ClientConfig {
	c := &ssh.ClientConfig{
		User:            cfg.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return signers(signer, a.old), nil })},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { a.meter.patient(); return a.pin.check(key) },
		BannerCallback: func(s string) error {
			a.banner.WriteString(s[:min(len(s), maxHead-min(a.banner.Len(), maxHead))])
			return nil
		},
		// Only listens: nil, nil leaves the choice to Auth.
		AuthCallback: func(ctx *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			_, weak := weigh(ctx.Algorithms)
			if len(a.tried) == 0 {
				a.greeted = a.banner.Len()
			}
			a.methods, a.tried, a.partial, a.old = ctx.AllowedMethods, ctx.TriedMethods, ctx.PartialSuccessMethods, len(weak) > 0
			return nil, nil
		},
	}
	legacy := ssh.Algorithms{}
	if cfg.Legacy {
		legacy = ssh.InsecureAlgorithms()
	}
	offer(c, a.pin.known, legacy)
	return c
}

// signers are the ways in which the key is shown. An old server may know RSA with
// SHA-1 only and list more: OpenSSH lists what it was built with, not what it is
// configured for (measured on 9.2).
func signers(s ssh.Signer, old bool) []ssh.Signer {
	all := []ssh.Signer{s}
	if as, ok := s.(ssh.AlgorithmSigner); ok && old && s.PublicKey().Type() == ssh.KeyAlgoRSA {
		if old, err := ssh.NewSignerWithAlgorithms(as, []string{ssh.KeyAlgoRSA}); err == nil {
			all = append(all, old)
		}
	}
	return all
}

// classify turns what x/crypto/ssh reports into stage, cause and evidence.
func (a *attempt) classify(ctx context.Context, err error) *Error {
	e := &Error{Addr: a.addr, User: a.user, Key: a.key, Banner: strings.TrimSpace(a.banner.String()), After: time.Since(a.start), Err: err}
	e.Bytes, e.Sent = a.meter.bytes()
	e.Ident, e.Text = a.meter.said()
	e.Cause = causeOf(ctx, err)
	if wire := a.meter.wire(); wire != nil && (e.Cause == Closed || e.Cause == Other) {
		e.Cause = causeOf(ctx, wire)
	}
	negotiation, isNegotiation := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	switch {
	case a.pin.err != nil:
		e.Stage, e.Cause, e.Err = StageHostKey, Declined, a.pin.err
		e.Got, e.GotKey = fingerprint(a.pin.got), line(a.pin.got)
		if errors.Is(a.pin.err, errChanged) {
			e.Cause, e.Known = Changed, fingerprint(a.pin.known)
		}
	case isNegotiation:
		e.Stage, e.Cause = StageKeyExchange, NoCommonAlgorithm
		e.What, e.Ours, e.Theirs = negotiation.What, algorithmsOnly(negotiation.SupportedAlgorithms), algorithmsOnly(negotiation.RequestedAlgorithms)
		old := ssh.InsecureAlgorithms()
		e.Outdated = slices.ContainsFunc(e.Theirs, func(theirs string) bool {
			return !slices.Contains(e.Ours, theirs) && slices.Contains(slices.Concat(old.KeyExchanges, old.Ciphers, old.MACs), theirs)
		})
	case e.Ident == "":
		e.Stage = StageBanner
		switch {
		case strings.Contains(e.Text, "Exceeded MaxStartups"), strings.Contains(e.Text, "Not allowed at this time"):
			// OpenSSH's sshd says so when it drops a connection (sshd.c; the second since 9.8).
			e.Cause = Closed
		case e.Cause == Other || strings.Contains(e.Text, "\n") || len(e.Text) > 255:
			// Lines, but none that begins with "SSH-": HTTP, or a page that a filter put in.
			e.Cause = NotSSH
		}
	case a.pin.got == nil:
		e.Stage = StageKeyExchange
	default:
		e.Stage = StageAuth
		reason := strings.TrimSpace(a.banner.String()[a.greeted:])
		switch {
		case strings.Contains(err.Error(), "unable to authenticate"):
			e.Cause, e.Methods = a.rejection(), a.methods
		case len(a.tried) > 0 && reason != "" && (e.Cause == Closed || e.Cause == Reset || e.Cause == Disconnected):
			// PAM's word on the account comes when the key has been accepted, and sshd closes
			// after it (OpenSSH's auth2.c and monitor.c, 9.2).
			e.Cause, e.Banner = TurnedAway, reason
		}
	}
	return e
}

func (a *attempt) rejection() Cause {
	switch {
	case slices.Contains(a.partial, "publickey"):
		return KeyNotEnough
	case !slices.Contains(a.tried, "publickey"):
		return KeyNotAsked
	}
	return Rejected
}

func (a *attempt) greeting(conn ssh.Conn) Greeting {
	g := Greeting{
		Ident: string(conn.ServerVersion()), Banner: strings.TrimSpace(a.banner.String()),
		HostKey: line(a.pin.got), Fingerprint: fingerprint(a.pin.got),
	}
	if meta, ok := conn.(ssh.AlgorithmsConnMetadata); ok {
		g.Algorithms, g.Weak = weigh(meta.Algorithms())
	}
	return g
}

var errChanged = errors.New("the host key is not the one that is known")

// pin compares the server's key with the known one.
type pin struct {
	known ssh.PublicKey // nil when none is known yet
	fresh func([]byte) error
	got   ssh.PublicKey
	err   error
}

func newPin(known []byte, fresh func([]byte) error) (*pin, error) {
	p := &pin{fresh: fresh}
	if len(bytes.TrimSpace(known)) == 0 {
		if fresh == nil {
			return nil, errors.New("the pinned host key is empty")
		}
		return p, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(known)
	if err != nil {
		return nil, fmt.Errorf("the pinned host key cannot be read: %w", err)
	}
	p.known = key
	return p, nil
}

// check is called again when the keys are renewed on a long connection; then
// the key must be the one from the beginning.
func (p *pin) check(key ssh.PublicKey) error {
	want := p.known
	if want == nil {
		want = p.got
	}
	first := p.got == nil
	p.got = key
	switch {
	case want != nil && !bytes.Equal(want.Marshal(), key.Marshal()):
		p.err = errChanged
	case want == nil && first:
		p.err = p.fresh(line(key))
	}
	return p.err
}

// offer sets the algorithms. Those of the pinned key's type come first, since a
// server with several host keys would otherwise show another than the one that
// was pinned, which looks like a changed key.
func offer(c *ssh.ClientConfig, known ssh.PublicKey, legacy ssh.Algorithms) {
	c.SetDefaults()
	c.KeyExchanges = plus(c.KeyExchanges, legacy.KeyExchanges)
	c.Ciphers = plus(c.Ciphers, legacy.Ciphers)
	c.MACs = plus(c.MACs, legacy.MACs)
	var first []string
	switch {
	case known == nil:
		// As OpenSSH's ssh does since 8.5: some servers list types that they have no key of
		// (dropbear 2022.83 with an Ed25519 key alone lists RSA, and dies when asked for it).
		first = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}
	case known.Type() == ssh.KeyAlgoRSA:
		first = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	default:
		first = []string{known.Type()}
	}
	all := plus(ssh.SupportedAlgorithms().HostKeys, ssh.InsecureAlgorithms().HostKeys)
	c.HostKeyAlgorithms = plus(first, all)
}

// algorithmsOnly leaves out the names that are signals, not algorithms (RFC 8308, and
// OpenSSH's "strict key exchange").
func algorithmsOnly(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return strings.HasPrefix(n, "ext-info-") || strings.HasPrefix(n, "kex-strict-")
	})
}

func plus(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// weigh lists what was agreed upon, and what of it x/crypto/ssh calls insecure.
func weigh(n ssh.NegotiatedAlgorithms) (all, weak []string) {
	bad := ssh.InsecureAlgorithms()
	for _, x := range []struct {
		name     string
		insecure []string
	}{
		{n.KeyExchange, bad.KeyExchanges}, {n.HostKey, bad.HostKeys},
		{n.Read.Cipher, bad.Ciphers}, {n.Read.MAC, bad.MACs},
		{n.Write.Cipher, bad.Ciphers}, {n.Write.MAC, bad.MACs},
	} {
		if x.name == "" || slices.Contains(all, x.name) {
			continue
		}
		all = append(all, x.name)
		if slices.Contains(x.insecure, x.name) {
			weak = append(weak, x.name)
		}
	}
	return all, weak
}
