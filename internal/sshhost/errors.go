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

// Stage is how far a connection got before it failed.
type Stage string

// The stages, in their order.
const (
	StageKey         Stage = "key"          // the user's private key cannot be used
	StageDial        Stage = "dial"         // there is no TCP connection
	StageBanner      Stage = "banner"       // connected; the server has not sent its identification line
	StageKeyExchange Stage = "key-exchange" // the server has identified itself; its host key is not accepted yet
	StageHostKey     Stage = "host-key"     // the host key was not accepted
	StageAuth        Stage = "auth"         // the connection is encrypted; not logged in yet
	StageSession     Stage = "session"      // logged in
)

// Cause is how the connection failed in its Stage.
type Cause string

// The causes.
const (
	Refused           Cause = "refused"      // TCP reset in answer to the connection attempt
	Unreachable       Cause = "unreachable"  // no route to the host or network
	Timeout           Cause = "timeout"      // no answer until the deadline
	Canceled          Cause = "canceled"     // the caller's context was canceled
	Closed            Cause = "closed"       // the peer closed the connection
	Reset             Cause = "reset"        // TCP reset on an established connection
	Disconnected      Cause = "disconnected" // the server sent SSH's disconnect message, with a reason
	NotSSH            Cause = "not-ssh"      // the server speaks another protocol
	NoCommonAlgorithm Cause = "no-common-algorithm"
	Changed           Cause = "changed"        // the host key is not the known one
	Declined          Cause = "declined"       // NewKey returned an error
	Rejected          Cause = "rejected"       // the server does not accept the user's key
	KeyNotAsked       Cause = "key-not-asked"  // the server does not offer login by key
	KeyNotEnough      Cause = "key-not-enough" // the server accepts the key but requires more
	TurnedAway        Cause = "turned-away"    // the server accepts the key, sends a reason and closes the connection
	BadKey            Cause = "bad-key"        // a key cannot be read, or is encrypted
	Denied            Cause = "denied"         // the server does not allow a channel or a command
	Other             Cause = "other"
)

// Error is a connection that failed, with evidence that distinguishes a rate limit from a firewall,
// and both from a wrong key.
type Error struct {
	Stage Stage
	Cause Cause
	Addr  string
	// Ident is the server's identification line. Text is the beginning of what it sent, at most 256
	// bytes, which is not empty if it sent something else instead.
	Ident, Text string
	// Banner is the server's message to users, which may name a reason such as a locked account.
	Banner string
	// Received and Sent are numbers of bytes on the TCP connection. After is the time since Dial
	// began.
	Received, Sent int64
	After          time.Duration
	// Known and Got are the fingerprints, "SHA256:…", of the known host key and of the server's:
	// only in StageHostKey.
	Known, Got string
	// With NoCommonAlgorithm, What is the kind of algorithm ("key exchange", "host key"), and Ours
	// and Theirs are what each side offers. In StageSession, What is what was being done.
	What         string
	Ours, Theirs []string
	// Outdated means that Config.Legacy would offer one of Theirs: only with NoCommonAlgorithm.
	Outdated bool
	// Methods are the authentication methods that the server offers, if it does not accept the key.
	// User is the login user, and Key the fingerprint of the user's key.
	Methods   []string
	User, Key string
	Err       error
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	after := e.After.Round(10 * time.Millisecond)
	evidence := fmt.Sprintf("%d bytes received, after %v", e.Received, after)
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

// quoted returns what the server sent instead of its identification, for a message.
func (e *Error) quoted() string {
	if e.Text == "" {
		return ""
	}
	return ", it sent " + quoteStart(strings.TrimSpace(e.Text))
}

func quoteStart(s string) string { return fmt.Sprintf("%q", text.Shorten(s, 80)) }

// message returns the server's message to users, such as "account locked" or "maintenance", for a
// message of ours.
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

// causeOf returns the cause for a network error. It recognizes some errors of x/crypto/ssh v0.58 by
// their text, because they are not wrapped.
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
