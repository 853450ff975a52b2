package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// Findings implements stack.State.
func (s State) Findings() []stack.Finding {
	if s.NotRunning {
		return nil
	}
	findings := []stack.Finding{s.main()}
	if s.KeyMode != 0 && !s.NoSSH {
		findings = append(findings, stack.Finding{Code: "ssh.key-permissions", Status: stack.Warn, Weight: stack.Aside,
			Title: fmt.Sprintf("%s is open to others (%04o): ssh and docker-machine refuse to use it", s.KeyPath, s.KeyMode),
			Hint:  shell.Command("chmod", "600", s.KeyPath)})
	}
	return findings
}

func (s State) main() stack.Finding {
	f := func(code string, status stack.Status, title, hint string) stack.Finding {
		return stack.Finding{Code: code, Status: status, Title: title, Hint: hint}
	}
	var session *sshhost.Error
	var silence *world.SilenceError
	switch {
	case s.NoSSH:
		return f("ssh.ok", stack.OK, "the driver has no SSH", "")
	case s.NotAsked:
		return f("ssh.ok", stack.OK, "no login was needed", "")
	case s.HeldBack != nil && s.HeldBack.Fine:
		title := fmt.Sprintf("%s answered %s ago; not asked again, %d logins in a minute are enough",
			s.HeldBack.Door.Addr, round(s.HeldBack.Answered), s.HeldBack.Recent)
		switch {
		case s.HeldBack.Small:
			return f("ssh.large-packets-lost", stack.Warn, title+"; only small packets came through", page("large-packets-lost"))
		case s.HeldBack.Legacy:
			return f("ssh.weak-algorithms", stack.Warn, title+"; it needed outdated algorithms", page("weak-algorithms"))
		}
		return f("ssh.ok", stack.OK, title, "")
	case s.HeldBack != nil && s.HeldBack.Cut > 0:
		return f("ssh.rate-limited", stack.Fail, "somebody counts logins: "+s.HeldBack.Error(), page("rate-limited"))
	case s.HeldBack != nil:
		return f("ssh.held-back", stack.Unknown, s.HeldBack.Error(), s.DoctorHint)
	case s.OtherErr != nil:
		return f("ssh.unknown", stack.Fail, s.OtherErr.Error(), s.DoctorHint)
	case s.Err != nil:
		return s.failure()
	case errors.As(s.FactsErr, &silence):
		return f("ssh.connection-lost", stack.Fail, "logged in, and nothing came any more: "+silence.Error(), page("connection-lost"))
	case errors.As(s.FactsErr, &session) && session.What == sshhost.SignOfLife && session.Cause == sshhost.Timeout:
		return f("ssh.large-packets-lost", stack.Fail, fmt.Sprintf(
			"%s let us in with small packets, and answers nothing after larger ones (%d bytes sent, %d received, after %s): the path's MTU is smaller than the laptop thinks",
			session.Addr, session.Sent, session.Bytes, round(session.After)), page("large-packets-lost"))
	case world.NoCommands(s.FactsErr) != "":
		return f("ssh.no-commands", stack.Fail, fmt.Sprintf("logged in as %s, and the docker host runs no commands for it: %s", s.User, world.NoCommands(s.FactsErr)),
			s.SSHHint+" true")
	case errors.As(s.FactsErr, &session) && session.Stage == sshhost.StageSession && session.Cause != sshhost.Timeout:
		return f("ssh.connection-lost", stack.Fail, "logged in, and the connection ended: "+session.Error(), page("connection-lost"))
	case s.FactsErr != nil:
		return f("ssh.unknown", stack.Unknown, "logged in, and could not ask: "+s.FactsErr.Error(), page("unknown"))
	case s.Facts != nil && !s.Facts.Root:
		return f("ssh.sudo-refused", stack.Fail, fmt.Sprintf("logged in as %s, and sudo is refused: %s", s.User, s.Facts.SudoError),
			s.SSHHint+" sudo -n true")
	case s.Login.Small:
		return f("ssh.large-packets-lost", stack.Warn, s.smallOnly(), page("large-packets-lost"))
	case len(s.Weak) > 0:
		return f("ssh.weak-algorithms", stack.Warn, fmt.Sprintf("logged in to %s (%s) with outdated algorithms: %s",
			s.reached(), s.Greeting, strings.Join(s.Weak, ", ")), page("weak-algorithms"))
	}
	return f("ssh.ok", stack.OK, "logged in once at "+s.reached(), "")
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
	case s.Login.Door.Addr != "":
		return s.Login.Door.Addr
	case len(s.Doors) > 0:
		return s.Doors[0].Addr
	}
	return "the docker host"
}

// failure names the way in which a login failed. Through NAT a refused
// connection looks like one that was closed before the banner.
func (s State) failure() stack.Finding {
	e := s.Err
	f := stack.Finding{Status: stack.Fail, Title: e.Error(), Hint: s.DoctorHint}
	code := func(c, hint string) stack.Finding {
		f.Code, f.Hint = "ssh."+c, hint
		return f
	}
	restart := page("refused")
	if e.Cause == sshhost.Timeout {
		restart = page("timeout")
	}
	if s.door().NAT {
		restart = shell.Command("VBoxManage", "controlvm", s.Machine, "acpipowerbutton")
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
	case e.Stage == sshhost.StageDial && e.Cause == sshhost.Refused:
		return code("refused", restart)
	case e.Stage == sshhost.StageDial:
		f.Title += s.before()
		return code("timeout", page("timeout"))
	case e.Stage == sshhost.StageBanner && e.Cause == sshhost.NotSSH:
		return code("not-ssh", page("not-ssh"))
	case e.Stage == sshhost.StageBanner && e.Cause == sshhost.Timeout:
		f.Title += s.before()
		return code("timeout", restart)
	case e.Stage == sshhost.StageBanner && s.Knock.Refused:
		if host, _, err := net.SplitHostPort(s.Knock.Addr); err == nil {
			f.Title = fmt.Sprintf("%s refuses connections to port 22: sshd is not running in the VM", host)
		}
		return code("refused", restart)
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
		return code("auth-failed", s.SSHHint)
	}
	return code("unknown", s.DoctorHint)
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

// door is the one at which the login failed.
func (s State) door() world.Door {
	for _, d := range s.Doors {
		if s.Err != nil && d.Addr == s.Err.Addr {
			return d
		}
	}
	return world.Door{}
}

// mute says that sshd did not say a word, nor anybody in its place.
func (s State) mute() bool {
	e := s.Err
	switch e.Stage {
	case sshhost.StageBanner:
		return e.Text == "" && (e.Cause == sshhost.Closed || e.Cause == sshhost.Reset || e.Cause == sshhost.Timeout)
	case sshhost.StageDial:
		return e.Cause == sshhost.Timeout && !s.door().NAT
	}
	return false
}

// limited says whether there is evidence that sshd is well and that we are kept
// from it. An sshd that hangs or is gone must not be taken for one that counts.
func (s State) limited() bool {
	if s.Err == nil || !s.mute() {
		return false
	}
	silent := s.Err.Cause == sshhost.Timeout
	switch {
	case s.Knock.Ident != "":
		// It answers another source address, and the way in carries other things.
		return s.DaemonAnswers
	case s.Err.Stage == sshhost.StageDial:
		// No answer to a SYN is never sshd's doing, and the address is alive.
		return s.AnsweredBefore && s.DirectDaemon
	case !s.door().NAT:
		// Somebody accepts and hangs up, which is not what a dead sshd does; one that
		// accepts and keeps silent hangs.
		return !silent && s.AnsweredBefore
	case silent && !s.Knock.Connected && !s.Knock.Refused && !s.DirectDaemon:
		// A VPN has the other way, so nothing can be learnt there.
		return s.AnsweredBefore && s.DaemonAnswers
	}
	return false
}

func (s State) whyLimited() string {
	if s.Knock.Ident != "" {
		return fmt.Sprintf("%s answers at once (%s): this way in is banned, somebody counts logins", s.Knock.Addr, s.Knock.Ident)
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
