package sshhost

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// attempt is one login that is under way, with the evidence that explains a failure.
type attempt struct {
	start   time.Time
	addr    string
	user    string
	key     string // fingerprint of the user's key
	tcp     *observedConn
	hostKey *hostKeyCheck

	banner strings.Builder
	// bannerBeforeKey is the length of banner before the user's key was offered.
	bannerBeforeKey int
	// methods are the authentication methods that the server offers, tried those that were tried,
	// partial those that succeeded but were not enough.
	methods, tried, partial []string
	outdated                bool // an algorithm was negotiated that x/crypto/ssh calls insecure
}

func (a *attempt) config(cfg Config, signer ssh.Signer) *ssh.ClientConfig {
	c := &ssh.ClientConfig{
		User: cfg.User,
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return signers(signer, a.outdated), nil })},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			a.tcp.allowSilence()
			return a.hostKey.check(key)
		},
		BannerCallback: func(s string) error {
			a.banner.WriteString(s[:min(len(s), maxHead-min(a.banner.Len(), maxHead))])
			return nil
		},
		AuthCallback: func(ctx *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			if len(a.tried) == 0 {
				a.bannerBeforeKey = a.banner.Len()
			}
			a.methods, a.tried, a.partial = ctx.AllowedMethods, ctx.TriedMethods, ctx.PartialSuccessMethods
			a.outdated = len(insecure(ctx.Algorithms)) > 0
			return nil, nil // leaves the choice to Auth
		},
	}
	c.SetDefaults()
	if cfg.Legacy {
		legacy := ssh.InsecureAlgorithms()
		c.KeyExchanges = union(c.KeyExchanges, legacy.KeyExchanges)
		c.Ciphers = union(c.Ciphers, legacy.Ciphers)
		c.MACs = union(c.MACs, legacy.MACs)
	}
	c.HostKeyAlgorithms = a.hostKey.algorithms()
	return c
}

// signers returns the signers to try for the user's key. An outdated server may only know RSA with
// SHA-1 although it lists more: OpenSSH lists what it was built with, not what it is configured for
// (measured with 9.2).
func signers(s ssh.Signer, outdated bool) []ssh.Signer {
	all := []ssh.Signer{s}
	if as, ok := s.(ssh.AlgorithmSigner); ok && outdated && s.PublicKey().Type() == ssh.KeyAlgoRSA {
		if sha1, err := ssh.NewSignerWithAlgorithms(as, []string{ssh.KeyAlgoRSA}); err == nil {
			all = append(all, sha1)
		}
	}
	return all
}

// classify returns the *Error for an error of x/crypto/ssh, with stage, cause and evidence.
func (a *attempt) classify(ctx context.Context, err error) *Error {
	e := &Error{Addr: a.addr, User: a.user, Key: a.key, Banner: strings.TrimSpace(a.banner.String()), After: time.Since(a.start), Err: err}
	e.Received, e.Sent = a.tcp.counts()
	e.Ident, e.Text = a.tcp.firstReceived()
	e.Cause = causeOf(ctx, err)
	if first := a.tcp.firstError(); first != nil && (e.Cause == Closed || e.Cause == Other) {
		e.Cause = causeOf(ctx, first)
	}
	negotiation, isNegotiation := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	switch {
	case a.hostKey.err != nil:
		e.Stage, e.Cause, e.Err = StageHostKey, Declined, a.hostKey.err
		e.Got = ssh.FingerprintSHA256(a.hostKey.got)
		if errors.Is(a.hostKey.err, errHostKeyChanged) {
			e.Cause, e.Known = Changed, ssh.FingerprintSHA256(a.hostKey.known)
		}
	case isNegotiation:
		e.Stage, e.Cause = StageKeyExchange, NoCommonAlgorithm
		e.What, e.Ours, e.Theirs = negotiation.What, withoutSignals(negotiation.SupportedAlgorithms), withoutSignals(negotiation.RequestedAlgorithms)
		legacy := ssh.InsecureAlgorithms()
		e.Outdated = slices.ContainsFunc(e.Theirs, func(theirs string) bool {
			return !slices.Contains(e.Ours, theirs) && slices.Contains(slices.Concat(legacy.KeyExchanges, legacy.Ciphers, legacy.MACs), theirs)
		})
	case e.Ident == "":
		e.Stage = StageBanner
		switch {
		case strings.Contains(e.Text, "Exceeded MaxStartups"), strings.Contains(e.Text, "Not allowed at this time"):
			// OpenSSH's sshd sends these when it drops a connection (sshd.c; the second since 9.8).
			e.Cause = Closed
		case e.Cause == Other || strings.Contains(e.Text, "\n") || len(e.Text) > 255:
			// It sent lines, but none that begins with "SSH-": HTTP, or a page that a filter
			// inserted.
			e.Cause = NotSSH
		}
	case a.hostKey.got == nil:
		e.Stage = StageKeyExchange
	default:
		a.classifyAuth(e)
	}
	return e
}

// classifyAuth sets the cause of a failure after the host key was accepted.
func (a *attempt) classifyAuth(e *Error) {
	e.Stage = StageAuth
	reason := strings.TrimSpace(a.banner.String()[a.bannerBeforeKey:])
	switch {
	case strings.Contains(e.Err.Error(), "unable to authenticate"):
		e.Methods = a.methods
		switch {
		case slices.Contains(a.partial, "publickey"):
			e.Cause = KeyNotEnough
		case !slices.Contains(a.tried, "publickey"):
			e.Cause = KeyNotAsked
		default:
			e.Cause = Rejected
		}
	case len(a.tried) > 0 && reason != "" && (e.Cause == Closed || e.Cause == Reset || e.Cause == Disconnected):
		// PAM checks the account after the key has been accepted, and sshd then closes the
		// connection (OpenSSH's auth2.c and monitor.c, 9.2).
		e.Cause, e.Banner = TurnedAway, reason
	}
}

func (a *attempt) greeting(conn ssh.Conn) Greeting {
	g := Greeting{Ident: string(conn.ServerVersion())}
	if meta, ok := conn.(ssh.AlgorithmsConnMetadata); ok {
		g.Weak = insecure(meta.Algorithms())
	}
	return g
}
