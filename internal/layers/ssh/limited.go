package ssh

import (
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// address is the one at which the login failed.
func (s State) address() access.Address {
	for _, d := range s.Addresses {
		if s.Err != nil && d.Addr == s.Err.Addr {
			return d
		}
	}
	return access.Address{}
}

// silent reports whether nothing came from sshd, nor from anything in its place.
func (s State) silent() bool {
	e := s.Err
	switch e.Stage {
	case sshhost.StageBanner:
		return e.Text == "" && (e.Cause == sshhost.Closed || e.Cause == sshhost.Reset || e.Cause == sshhost.Timeout)
	case sshhost.StageDial:
		return e.Cause == sshhost.Timeout && !s.address().NAT
	}
	return false
}

// limited reports whether there is evidence that sshd is well and that we are kept
// from it. An sshd that hangs or is gone must not be taken for one that counts.
func (s State) limited() bool {
	if s.Err == nil || !s.silent() {
		return false
	}
	timedOut := s.Err.Cause == sshhost.Timeout
	switch {
	case s.Direct.Ident != "":
		// It answers another source address, and the NAT forwards other connections.
		return s.DaemonAnswers
	case s.Err.Stage == sshhost.StageDial:
		// No answer to a SYN is never sshd's doing, and the address is alive.
		return s.AnsweredBefore && s.DirectDaemon
	case !s.address().NAT:
		// A dead sshd accepts no connection, and one that hangs does not close it.
		return !timedOut && s.AnsweredBefore
	case timedOut && !s.Direct.Connected && !s.Direct.Refused && !s.DirectDaemon:
		// A VPN has the host-only address: nothing can be learnt there.
		return s.AnsweredBefore && s.DaemonAnswers
	}
	return false
}

func (s State) whyLimited() string {
	if s.Direct.Ident != "" {
		return fmt.Sprintf("%s answers at once (%s): SSH logins to this address are being rate-limited", s.Direct.Addr, s.Direct.Ident)
	}
	return fmt.Sprintf("it answered %s ago and dockerd still does: SSH logins are being rate-limited", round(s.Answered))
}

func (s State) before() string {
	if !s.AnsweredBefore {
		return ""
	}
	return fmt.Sprintf("; it answered %s ago", round(s.Answered))
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}
