package ssh

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

func (s State) Findings() []engine.Finding {
	if s.NotRunning {
		return nil
	}
	var findings []engine.Finding
	if s.SkippedBecause() == "" {
		findings = append(findings, s.main())
	}
	if s.KeyMode != 0 && !s.NoSSH {
		findings = append(findings, engine.Finding{Code: "ssh.key-permissions", Status: engine.Warn, Weight: engine.Aside,
			Title: fmt.Sprintf("%s is open to others (%04o): ssh and docker-machine refuse to use it", s.KeyPath, s.KeyMode),
			Hint:  shell.Command("chmod", "600", s.KeyPath)})
	}
	return findings
}

func (s State) main() engine.Finding {
	f := func(code string, status engine.Status, title, hint string) engine.Finding {
		return engine.Finding{Code: code, Status: status, Title: title, Hint: hint}
	}
	var session *sshhost.Error
	var silence *access.SilenceError
	switch {
	case s.NoSSH:
		return f("ssh.ok", engine.OK, "the driver has no SSH", "")
	case s.HeldBack != nil && s.HeldBack.Cut == 0 && s.HeldBack.Small:
		return f("ssh.large-packets-lost", engine.Warn, "not logged in again: only small packets came through lately", page("large-packets-lost"))
	case s.HeldBack != nil && s.HeldBack.Cut == 0:
		return f("ssh.weak-algorithms", engine.Warn, "not logged in again: a login needed outdated algorithms lately", page("weak-algorithms"))
	case s.HeldBack != nil:
		return f("ssh.rate-limited", engine.Fail, "somebody counts logins: "+s.HeldBack.Error(), page("rate-limited"))
	case s.NoRule && len(s.Addresses) == 0:
		return f("ssh.rule-missing", engine.Fail, s.ruleMissing()+", and "+s.NoDirect, s.ForwardHint)
	case s.OtherErr != nil:
		return f("ssh.unknown", engine.Fail, s.OtherErr.Error(), s.DoctorHint)
	case s.Err != nil:
		return s.failure()
	case errors.As(s.FactsErr, &silence):
		return f("ssh.connection-lost", engine.Fail, "logged in, and nothing came any more: "+silence.Error(), page("connection-lost"))
	case errors.As(s.FactsErr, &session) && session.What == sshhost.SignOfLife && session.Cause == sshhost.Timeout:
		return f("ssh.large-packets-lost", engine.Fail, fmt.Sprintf(
			"%s let us in with small packets, and answers nothing after larger ones (%d bytes sent, %d received, after %s): the path's MTU is smaller than the laptop thinks",
			session.Addr, session.Sent, session.Bytes, round(session.After)), page("large-packets-lost"))
	case access.NoCommands(s.FactsErr) != "":
		return f("ssh.no-commands", engine.Fail, fmt.Sprintf("logged in as %s, and the docker host runs no commands for it: %s", s.User, access.NoCommands(s.FactsErr)),
			s.viaDockerMachine("true", "no-commands"))
	case errors.As(s.FactsErr, &session) && session.Stage == sshhost.StageSession && session.Cause != sshhost.Timeout:
		return f("ssh.connection-lost", engine.Fail, "logged in, and the connection ended: "+session.Error(), page("connection-lost"))
	case s.FactsErr != nil:
		return f("ssh.unknown", engine.Unknown, "logged in, and could not ask: "+s.FactsErr.Error(), page("unknown"))
	case s.Facts != nil && !s.Facts.Root:
		return f("ssh.sudo-refused", engine.Fail, fmt.Sprintf("logged in as %s, and sudo is refused: %s", s.User, s.Facts.SudoError),
			s.viaDockerMachine("sudo -n true", "sudo-refused"))
	case s.Login.Small:
		return f("ssh.large-packets-lost", engine.Warn, s.smallOnly(), page("large-packets-lost"))
	case len(s.Weak) > 0:
		return f("ssh.weak-algorithms", engine.Warn, fmt.Sprintf("logged in to %s (%s) with outdated algorithms: %s",
			s.reached(), s.Greeting, strings.Join(s.Weak, ", ")), page("weak-algorithms"))
	}
	return f("ssh.ok", engine.OK, "logged in once at "+s.reached(), "")
}

func (s State) smallOnly() string {
	title := fmt.Sprintf("logged in to %s with small packets only: larger ones are lost on the way, without a word", s.reached())
	var stalled *sshhost.Error
	if errors.As(s.Login.Stalled, &stalled) {
		title += fmt.Sprintf(" (%d bytes sent, %d received, then nothing until %s)", stalled.Sent, stalled.Bytes, round(stalled.After))
	}
	return title
}

func (s State) reached() string {
	switch {
	case s.Login.Address.Addr != "":
		return s.Login.Address.Addr
	case len(s.Addresses) > 0:
		return s.Addresses[0].Addr
	}
	return "the docker host"
}

// failure names the way in which a login failed. Through NAT a refused
// connection looks like one that was closed before the banner.
func (s State) failure() engine.Finding {
	e := s.Err
	f := engine.Finding{Status: engine.Fail, Title: e.Error(), Hint: s.DoctorHint}
	code := func(c, hint string) engine.Finding {
		f.Code, f.Hint = "ssh."+c, hint
		return f
	}
	cut := e.Cause == sshhost.Closed || e.Cause == sshhost.Reset || e.Cause == sshhost.Timeout
	switch {
	case e.Stage == sshhost.StageKey:
		why := e.Err
		var path *fs.PathError
		if errors.As(why, &path) {
			why = path.Err // the path is named once
		}
		f.Title = fmt.Sprintf("the machine's SSH key %s: %v", s.KeyPath, why)
		return code("auth-failed", s.keyHint())
	case s.limited():
		f.Title += "; " + s.whyLimited()
		return code("rate-limited", page("rate-limited"))
	case e.Stage == sshhost.StageDial && s.NoRule:
		does := "does not answer"
		if e.Cause == sshhost.Refused {
			does = "refuses connections"
		}
		f.Title = fmt.Sprintf("%s, and %s %s", s.ruleMissing(), e.Addr, does)
		return code("rule-missing", s.ForwardHint)
	case e.Stage == sshhost.StageDial && e.Cause == sshhost.Refused && s.address().NAT:
		if s.Rule != "" {
			f.Title += fmt.Sprintf(": VirtualBox has NAT rule %q and does not listen for it", s.Rule)
		}
		return code("refused", cmp.Or(s.ForwardHint, page("refused")))
	case e.Stage == sshhost.StageDial && e.Cause == sshhost.Refused:
		return code("refused", page("refused"))
	case e.Stage == sshhost.StageDial:
		f.Title += s.before()
		return code("timeout", page("timeout"))
	case e.Stage == sshhost.StageBanner && e.Cause == sshhost.NotSSH:
		return code("not-ssh", page("not-ssh"))
	case e.Stage == sshhost.StageBanner && e.Cause == sshhost.Timeout:
		f.Title += s.before()
		if s.alive() {
			return code("timeout", cmp.Or(s.RestartHint, page("timeout")))
		}
		return code("timeout", page("timeout"))
	case e.Stage == sshhost.StageBanner && s.Direct.Refused:
		if host, _, err := net.SplitHostPort(s.Direct.Addr); err == nil {
			f.Title = fmt.Sprintf("%s refuses connections to port 22: sshd is not running in the VM", host)
		}
		return code("refused", cmp.Or(s.RestartHint, page("refused")))
	case e.Stage == sshhost.StageBanner:
		f.Title += s.before()
		return code("closed-before-banner", page("closed-before-banner"))
	case e.Cause == sshhost.NoCommonAlgorithm:
		return code("no-common-algorithm", page("no-common-algorithm"))
	case e.Stage == sshhost.StageKeyExchange:
		if e.Cause == sshhost.Timeout {
			f.Title += ": cut without a word, or a path MTU that is too small for the key exchange"
		}
		return code("closed-in-key-exchange", page("closed-in-key-exchange"))
	case e.Stage == sshhost.StageHostKey && e.Cause == sshhost.Declined:
		return code("unknown", page("unknown"))
	case e.Stage == sshhost.StageHostKey:
		return code("host-key-changed", s.AcceptHint)
	case e.Stage == sshhost.StageAuth && cut:
		return code("connection-lost", page("connection-lost"))
	case e.Stage == sshhost.StageAuth:
		return code("auth-failed", s.viaDockerMachine("", "auth-failed"))
	}
	return code("unknown", s.DoctorHint)
}

// alive reports whether the docker host answers anything at all, so that sshd alone hangs:
// one that boots, or that hangs as a whole, cannot be restarted in good order.
func (s State) alive() bool { return s.DaemonAnswers || s.DirectDaemon || s.Direct.Connected }

// viaDockerMachine is a command on the docker host by docker-machine, or the code's page
// where docker-machine does not reach that host.
func (s State) viaDockerMachine(command, code string) string {
	if s.SSHHint == "" {
		return page(code)
	}
	return strings.TrimSpace(s.SSHHint + " " + command)
}

// keyHint is what to do about a private key that cannot be used.
func (s State) keyHint() string {
	switch {
	case errors.Is(s.Err, sshhost.ErrEncrypted):
		return shell.Command("ssh-keygen", "-p", "-N", "", "-f", s.KeyPath)
	case errors.Is(s.Err, fs.ErrPermission):
		return shell.Command("ls", "-l", s.KeyPath)
	}
	return page("auth-failed")
}

// page is the command that shows what a code means.
func page(code string) string { return "docker-vpn-helper explain ssh." + code }

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
		// It answers another source address, and the way in carries other things.
		return s.DaemonAnswers
	case s.Err.Stage == sshhost.StageDial:
		// No answer to a SYN is never sshd's doing, and the address is alive.
		return s.AnsweredBefore && s.DirectDaemon
	case !s.address().NAT:
		// Somebody accepts and hangs up, which is not what a dead sshd does; one that
		// accepts and keeps silent hangs.
		return !timedOut && s.AnsweredBefore
	case timedOut && !s.Direct.Connected && !s.Direct.Refused && !s.DirectDaemon:
		// A VPN has the other way, so nothing can be learnt there.
		return s.AnsweredBefore && s.DaemonAnswers
	}
	return false
}

func (s State) whyLimited() string {
	if s.Direct.Ident != "" {
		return fmt.Sprintf("%s answers at once (%s): this way in is banned, somebody counts logins", s.Direct.Addr, s.Direct.Ident)
	}
	return fmt.Sprintf("it answered %s ago and dockerd still does: somebody counts logins", round(s.Answered))
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
