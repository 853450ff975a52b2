package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// Stage is how far a login came.
type Stage string

// The stages, in their order.
const (
	StageKey         Stage = "key"          // the user's private key, before anything was sent
	StageDial        Stage = "dial"         // no TCP connection
	StageBanner      Stage = "banner"       // connected; no identification line from the server yet
	StageKeyExchange Stage = "key-exchange" // the server has identified itself; no host key accepted yet
	StageHostKey     Stage = "host-key"     // the host key is not the pinned one
	StageAuth        Stage = "auth"         // encrypted; not logged in
	StageSession     Stage = "session"      // logged in
)

// Cause is how a stage failed.
type Cause string

// The causes.
const (
	Refused           Cause = "refused"      // TCP reset in answer to the connection attempt
	Unreachable       Cause = "unreachable"  // no route to the host or network
	Timeout           Cause = "timeout"      // no answer until the deadline
	Canceled          Cause = "canceled"     // the caller's context was canceled
	Closed            Cause = "closed"       // an orderly end of the connection
	Reset             Cause = "reset"        // TCP reset on an established connection
	Disconnected      Cause = "disconnected" // SSH's own message, with a reason
	NotSSH            Cause = "not-ssh"      // another protocol
	NoCommonAlgorithm Cause = "no-common-algorithm"
	Changed           Cause = "changed"        // host key
	Declined          Cause = "declined"       // NewKey returned an error
	Rejected          Cause = "rejected"       // the server does not accept the user's key
	KeyNotAsked       Cause = "key-not-asked"  // the server does not offer login by key
	KeyNotEnough      Cause = "key-not-enough" // the server accepts the key, and requires something else as well
	TurnedAway        Cause = "turned-away"    // the server accepts the key, names a reason, and closes
	BadKey            Cause = "bad-key"        // a key that cannot be read, or is encrypted
	Denied            Cause = "denied"         // a channel or a command that the server does not allow
	Other             Cause = "other"
)

// Error is a connection that failed, with the evidence that distinguishes a rate limit
// from a firewall, and both from a wrong key.
type Error struct {
	Stage Stage
	Cause Cause
	Addr  string
	// Ident is the server's identification line; Text is what came instead of one (up to 256 bytes).
	Ident, Text string
	// Banner is the server's message to users, where it names a reason such as a locked account.
	Banner string
	// Bytes counts what was received, from the first byte on, Sent what was sent and handed to
	// the network; After is the time since Dial began.
	Bytes, Sent int64
	After       time.Duration
	// Known and Got are fingerprints, "SHA256:…": StageHostKey only.
	Known, Got string
	// What has no common algorithm ("key exchange", "host key"), Ours and Theirs what each side
	// offers: NoCommonAlgorithm only. In StageSession, What is what was being done.
	What         string
	Ours, Theirs []string
	// Outdated reports whether Config.Legacy would offer something of Theirs: NoCommonAlgorithm only.
	Outdated bool
	// Methods are the ways to log in that the server offers where it does not accept the key,
	// User is who tried, and Key the fingerprint of the key that was shown.
	Methods   []string
	User, Key string
	Err       error
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	after := e.After.Round(10 * time.Millisecond)
	evidence := fmt.Sprintf("%d bytes received, after %v", e.Bytes, after)
	if e.Sent > 0 {
		evidence = fmt.Sprintf("%d bytes sent, %s", e.Sent, evidence)
	}
	switch {
	case e.Stage == StageKey:
		return fmt.Sprintf("ssh key for %s: %v", e.Addr, e.Err)
	case e.Stage == StageDial:
		return fmt.Sprintf("ssh to %s: %v", e.Addr, e.Err)
	case e.Cause == NotSSH:
		return fmt.Sprintf("ssh to %s: not an SSH server, it sent %s", e.Addr, quoteStart(e.Text))
	case e.Stage == StageBanner:
		return fmt.Sprintf("ssh to %s: connected, then %s before the server's identification (%s)%s", e.Addr, e.how(), evidence, e.quoted())
	case e.Cause == NoCommonAlgorithm:
		return fmt.Sprintf("ssh to %s (%s): no common %s: server offers %s; we offer %s", e.Addr, e.Ident, e.What,
			strings.Join(e.Theirs, ","), strings.Join(e.Ours, ","))
	case e.Stage == StageKeyExchange:
		return fmt.Sprintf("ssh to %s (%s): %s during key exchange (%s)", e.Addr, e.Ident, e.how(), evidence)
	case e.Cause == Changed:
		return fmt.Sprintf("ssh to %s: host key changed from %s to %s", e.Addr, e.Known, e.Got)
	case e.Stage == StageHostKey:
		return fmt.Sprintf("ssh to %s: host key: %v", e.Addr, e.Err)
	case e.Cause == Rejected:
		return fmt.Sprintf("ssh to %s (%s): the server does not accept the key %s for %s (it offers: %s)%s", e.Addr, e.Ident, e.Key, e.User,
			strings.Join(e.Methods, ", "), e.message())
	case e.Cause == KeyNotAsked:
		return fmt.Sprintf("ssh to %s (%s): the server lets %s in by no key (it offers: %s)%s", e.Addr, e.Ident, e.User, strings.Join(e.Methods, ", "), e.message())
	case e.Cause == KeyNotEnough:
		return fmt.Sprintf("ssh to %s (%s): the server accepts the key for %s, and wants more (it offers: %s)%s", e.Addr, e.Ident, e.User,
			strings.Join(e.Methods, ", "), e.message())
	case e.Cause == TurnedAway:
		return fmt.Sprintf("ssh to %s (%s): the server accepts the key for %s and closes the connection (%s)%s", e.Addr, e.Ident, e.User, evidence, e.message())
	case e.Stage == StageAuth:
		return fmt.Sprintf("ssh to %s (%s): %s while logging in (%s)%s", e.Addr, e.Ident, e.how(), evidence, e.message())
	default:
		return fmt.Sprintf("ssh to %s: %s: %s (%s)", e.Addr, e.What, e.how(), evidence)
	}
}

// quoted is what the server sent in place of its identification.
func (e *Error) quoted() string {
	if e.Text == "" {
		return ""
	}
	return ", it sent " + quoteStart(strings.TrimSpace(e.Text))
}

func quoteStart(s string) string { return fmt.Sprintf("%q", text.Shorten(s, 80)) }

// message is the server's message to users, such as "account locked" or "maintenance".
func (e *Error) message() string {
	if e.Banner == "" {
		return ""
	}
	return fmt.Sprintf("; it sent %q", text.Shorten(text.OneLine(e.Banner), 200))
}

func (e *Error) how() string {
	switch e.Cause {
	case Timeout:
		return "no answer"
	case Closed:
		return "connection closed"
	case Reset:
		return "connection reset"
	case Canceled:
		return "canceled"
	}
	return strings.TrimPrefix(fmt.Sprint(e.Err), "ssh: handshake failed: ")
}

// causeOf sorts an error of the network. The texts are those of x/crypto/ssh
// v0.58, which formats some errors without wrapping them.
func causeOf(ctx context.Context, err error) Cause {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN), errors.Is(err, syscall.ENETDOWN):
		return Unreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return Closed
	case strings.Contains(err.Error(), "ssh: disconnect, reason"):
		return Disconnected
	case strings.HasSuffix(err.Error(), "EOF"):
		return Closed
	}
	return Other
}
