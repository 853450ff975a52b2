package userssh

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Cause is why ssh could not log in.
type Cause string

// The causes.
const (
	Unknown           Cause = ""
	NameUnknown       Cause = "name-unknown"
	Refused           Cause = "refused"
	TimedOut          Cause = "timed-out"
	Unreachable       Cause = "unreachable"
	MaxStartups       Cause = "max-startups"
	ClosedAtOnce      Cause = "closed-before-banner"
	NotSSH            Cause = "not-ssh"
	NoCommonAlgorithm Cause = "no-common-algorithm"
	ClosedInKex       Cause = "closed-in-key-exchange"
	HostKeyChanged    Cause = "host-key-changed"
	HostKeyUnknown    Cause = "host-key-unknown"
	AuthFailed        Cause = "auth-failed"
	TooManyKeys       Cause = "too-many-keys"
	ConfigBroken      Cause = "config-broken"
	ProxyFailed       Cause = "proxy-failed"
	Lost              Cause = "lost"
)

// signs are parts of ssh's messages in lower case, and the causes that they show. If ssh prints several
// messages, the first match in this order counts, so the more specific ones come first, and those about
// a jump host before their consequences. The wording is that of OpenSSH 7.4 to 10 (ssh.c, sshconnect.c,
// sshconnect2.c, kex.c, packet.c, readconf.c).
var signs = []struct {
	part  string
	cause Cause
}{
	{"bad configuration option", ConfigBroken},
	{"bad owner or permissions on", ConfigBroken},
	{"terminating, ", ConfigBroken}, // "… bad configuration options"
	{"no such file or directory for include", ConfigBroken},
	{"remote host identification has changed", HostKeyChanged},
	{"host key verification failed", HostKeyUnknown},
	{"host key is known for", HostKeyUnknown},
	{"stdio forwarding failed", ProxyFailed},
	{"could not resolve hostname", NameUnknown},
	{"exceeded maxstartups", MaxStartups},
	{"too many authentication failures", TooManyKeys},
	{"permission denied (", AuthFailed},
	{"no supported authentication methods", AuthFailed},
	{"no matching ", NoCommonAlgorithm}, // "unable to negotiate with …: no matching cipher found"
	{"invalid format", NotSSH},
	{"not a ssh server", NotSSH},
	{"protocol mismatch", NotSSH},
	{"banner line contains invalid characters", NotSSH},
	{"timed out during banner exchange", TimedOut},
	{"kex_exchange_identification: ", ClosedAtOnce},
	{"ssh_exchange_identification: ", ClosedAtOnce},
	{"banner exchange: ", ClosedAtOnce},
	{": connection refused", Refused},
	{"connection timed out", TimedOut},
	{"operation timed out", TimedOut},
	{"no route to host", Unreachable},
	{"network is unreachable", Unreachable},
	{"host is down", Unreachable},
	{"undefined error: 0", Unreachable}, // macOS 15, where it denies the local network (docker/for-mac#7504)
	{"connection reset by", ClosedInKex},
	{"connection closed by", ClosedInKex},
	{"broken pipe", Lost},
}

// Cause returns the cause that ssh's messages show. No message until the deadline is a timeout.
func (e *Error) Cause() Cause {
	text := strings.ToLower(e.Stderr)
	for _, s := range signs {
		if strings.Contains(text, s.part) {
			return s.cause
		}
	}
	if strings.TrimSpace(text) == "" && e.timedOut() {
		return TimedOut
	}
	return Unknown
}

// Error is an error of ssh. Stderr is what ssh printed.
type Error struct {
	Destination Destination
	Stderr      string
	Err         error
}

func (e *Error) Unwrap() error { return e.Err }

// timedOut reports whether ssh was stopped at a deadline.
func (e *Error) timedOut() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

func (e *Error) Error() string {
	what := e.message()
	if what == "" && e.timedOut() {
		what = "no answer"
	} else if what == "" {
		what = e.Err.Error()
	}
	return fmt.Sprintf("ssh to %s: %s", e.Destination, what)
}

// message returns the line of ssh's output that shows the cause, or else the last line.
func (e *Error) message() (line string) {
	for l := range strings.Lines(e.Stderr) {
		one := &Error{Stderr: l}
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		line = l
		if c := one.Cause(); c != Unknown && c == e.Cause() {
			break
		}
	}
	return strings.TrimPrefix(line, "ssh: ")
}
