package ssh

import (
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// address returns the address at which the login failed.
func (s State) address() access.Address {
	for _, d := range s.Addresses {
		if s.Err != nil && d.Addr == s.Err.Addr {
			return d
		}
	}
	return access.Address{}
}

// silent reports whether nothing at all was received from the address of sshd.
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

// limited reports whether there is evidence that sshd is fine but refuses to serve us. An sshd that
// hangs or is gone must not be taken for one that counts logins.
func (s State) limited() bool {
	if s.Err == nil || !s.silent() {
		return false
	}
	timedOut := s.Err.Cause == sshhost.Timeout
	switch {
	case s.Direct.Ident != "":
		// It answers another source address, and other connections through the NAT work.
		return s.DaemonAnswers
	case s.Err.Stage == sshhost.StageDial:
		// sshd cannot cause a SYN to go unanswered, and the address is alive.
		return s.AnsweredBefore && s.DirectDaemon
	case !s.address().NAT:
		// A dead sshd accepts no connection, and a hanging one does not close it.
		return !timedOut && s.AnsweredBefore
	case timedOut && !s.Direct.Connected && !s.Direct.Refused && !s.DirectDaemon:
		// A VPN has the route to the host-only address, so trying it tells nothing.
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
