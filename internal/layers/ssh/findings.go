package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

var findings engine.Table

// The login worked; these are other problems.
var (
	noSSH          = findings.OK("ssh.ok", "the driver has no SSH")
	loggedIn       = findings.OK("ssh.ok", "SSH login works (%s)")
	weakAlgorithms = findings.Warn("ssh.weak-algorithms", "logged in to %s (%s) with outdated algorithms: %s", page("weak-algorithms"))
	smallPackets   = findings.Warn("ssh.large-packets-lost", "logged in to %s with small packets only: larger ones are lost on the way, without a word%s", page("large-packets-lost"))
	largeLost      = findings.Fail("ssh.large-packets-lost",
		"%s let us in with small packets, and answers nothing after larger ones (%d bytes sent, %d received, after %s): the path's MTU is smaller than the laptop thinks", page("large-packets-lost"))
	wentSilent   = findings.Fail("ssh.connection-lost", "logged in, and nothing came any more: %v", page("connection-lost"))
	ended        = findings.Fail("ssh.connection-lost", "logged in, and the connection ended: %v", page("connection-lost"))
	noCommands   = findings.Fail("ssh.no-commands", "logged in as %s, and the docker host runs no commands for it: %s", page("no-commands"))
	couldNotAsk  = findings.Unknown("ssh.unknown", "logged in, and could not ask: %v", page("unknown"))
	sudoRefused  = findings.Fail("ssh.sudo-refused", "logged in as %s, and sudo is refused: %s", page("sudo-refused"))
	keyReadable  = findings.Aside("ssh.key-permissions", "%s is open to others (%04o): ssh and docker-machine refuse to use it", nil)
	skippedSmall = findings.Warn("ssh.large-packets-lost", "not logged in again: only small packets came through lately", page("large-packets-lost"))
	skippedWeak  = findings.Warn("ssh.weak-algorithms", "not logged in again: a login needed outdated algorithms lately", page("weak-algorithms"))
)

// The login failed, in the order of its steps.
var (
	noWay          = findings.Fail("ssh.unknown", "%v", doctor)
	ruleMissing    = findings.Fail("ssh.rule-missing", "%s, and %s", page("rule-missing"))
	keyUnusable    = findings.Fail("ssh.auth-failed", "the machine's SSH key %s: %v", page("auth-failed"))
	rateLimited    = findings.Fail("ssh.rate-limited", "%v; %s", page("rate-limited"))
	heldBack       = findings.Fail("ssh.rate-limited", "SSH logins are being rate-limited: %v", page("rate-limited"))
	refused        = findings.Fail("ssh.refused", "%v%s", page("refused"))
	sshdNotRunning = findings.Fail("ssh.refused", "%s refuses connections to port 22: sshd is not running in the VM", page("refused"))
	timedOut       = findings.Fail("ssh.timeout", "%v%s", page("timeout"))
	notSSH         = findings.Fail("ssh.not-ssh", "%v", page("not-ssh"))
	closedAtOnce   = findings.Fail("ssh.closed-before-banner", "%v%s", page("closed-before-banner"))
	nothingCommon  = findings.Fail("ssh.no-common-algorithm", "%v", page("no-common-algorithm"))
	keyExchangeCut = findings.Fail("ssh.closed-in-key-exchange", "%v%s", page("closed-in-key-exchange"))
	declined       = findings.Fail("ssh.unknown", "%v", page("unknown"))
	hostKeyChanged = findings.Fail("ssh.host-key-changed", "%v", hint.Fix("--accept-host-key"))
	cutAtLogin     = findings.Fail("ssh.connection-lost", "%v", page("connection-lost"))
	rejected       = findings.Fail("ssh.auth-failed", "%v", page("auth-failed"))
)

var doctor = hint.Own("doctor", hint.Machine)

// page returns the command that explains a code.
func page(code string) hint.Hint { return hint.Explain("ssh." + code) }

func (s State) Findings() []engine.Finding {
	if s.NotRunning {
		return nil
	}
	var out []engine.Finding
	if s.SkippedBecause() == "" {
		out = append(out, s.login())
	}
	if s.KeyMode != 0 && !s.NoSSH {
		out = append(out, keyReadable.Advising(hint.Run("chmod", "600", s.KeyPath)).Found(s.KeyPath, s.KeyMode))
	}
	return out
}

func (s State) login() engine.Finding {
	switch {
	case s.NoSSH:
		return noSSH.Found()
	case s.HeldBack != nil && s.HeldBack.Cut == 0 && s.HeldBack.Small:
		return skippedSmall.Found()
	case s.HeldBack != nil && s.HeldBack.Cut == 0:
		return skippedWeak.Found()
	case s.HeldBack != nil:
		return heldBack.Found(s.HeldBack)
	case s.NoRule && len(s.Addresses) == 0:
		return s.noRule(s.NoDirect)
	case s.OtherErr != nil:
		return noWay.Found(s.OtherErr)
	case s.Err != nil:
		return s.failure()
	case s.FactsErr != nil:
		return s.notAnswered()
	case s.Facts != nil && !s.Facts.Root:
		return sudoRefused.Advising(s.viaDockerMachine("sudo-refused", "sudo", "-n", "true")).Found(s.User, s.Facts.SudoError)
	case s.Login.Small:
		return smallPackets.Found(s.reached(), s.stalled())
	case len(s.Weak) > 0:
		return weakAlgorithms.Found(s.reached(), s.Greeting, strings.Join(s.Weak, ", "))
	}
	return loggedIn.Found(s.reached())
}

// notAnswered returns the finding that the login worked but the docker host did not answer a
// question.
func (s State) notAnswered() engine.Finding {
	var session *sshhost.Error
	var silence *access.SilenceError
	switch ok := errors.As(s.FactsErr, &session); {
	case errors.As(s.FactsErr, &silence):
		return wentSilent.Found(silence)
	case ok && session.What == sshhost.SignOfLife && session.Cause == sshhost.Timeout:
		return largeLost.Found(session.Addr, session.Sent, session.Received, round(session.After))
	case access.NoCommands(s.FactsErr) != "":
		return noCommands.Advising(s.viaDockerMachine("no-commands", "true")).Found(s.User, access.NoCommands(s.FactsErr))
	case ok && session.Stage == sshhost.StageSession && session.Cause != sshhost.Timeout:
		return ended.Found(session)
	}
	return couldNotAsk.Found(s.FactsErr)
}

// stalled describes what was lost before small packets were tried, or returns "".
func (s State) stalled() string {
	var stalled *sshhost.Error
	if !errors.As(s.Login.Stalled, &stalled) {
		return ""
	}
	return fmt.Sprintf(" (%d bytes sent, %d received, then nothing until %s)", stalled.Sent, stalled.Received, round(stalled.After))
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

// failure returns the finding about a failed login.
func (s State) failure() engine.Finding {
	e := s.Err
	cut := e.Cause == sshhost.Closed || e.Cause == sshhost.Reset || e.Cause == sshhost.Timeout
	switch {
	case e.Stage == sshhost.StageKey:
		return s.keyUnusable()
	case s.limited():
		return rateLimited.Found(e, s.whyLimited())
	case e.Stage == sshhost.StageDial:
		return s.notConnected()
	case e.Stage == sshhost.StageBanner:
		return s.noBanner()
	case e.Cause == sshhost.NoCommonAlgorithm:
		return nothingCommon.Found(e)
	case e.Stage == sshhost.StageKeyExchange && e.Cause == sshhost.Timeout:
		return keyExchangeCut.Found(e, ": cut without a word, or a path MTU that is too small for the key exchange")
	case e.Stage == sshhost.StageKeyExchange:
		return keyExchangeCut.Found(e, "")
	case e.Stage == sshhost.StageHostKey && e.Cause == sshhost.Declined:
		return declined.Found(e)
	case e.Stage == sshhost.StageHostKey:
		return hostKeyChanged.Found(e)
	case e.Stage == sshhost.StageAuth && cut:
		return cutAtLogin.Found(e)
	case e.Stage == sshhost.StageAuth:
		return rejected.Advising(s.viaDockerMachine("auth-failed")).Found(e)
	}
	return noWay.Found(e)
}

// keyUnusable returns the finding that the machine's private key cannot be used.
func (s State) keyUnusable() engine.Finding {
	found, why := keyUnusable, s.Err.Err
	var path *fs.PathError
	if errors.As(why, &path) {
		why = path.Err // the finding names the path already
	}
	switch {
	case errors.Is(s.Err, sshhost.ErrEncrypted):
		found.Hint = hint.Run("ssh-keygen", "-p", "-N", "", "-f", s.KeyPath)
	case errors.Is(s.Err, fs.ErrPermission):
		found.Hint = hint.Run("ls", "-l", s.KeyPath)
	}
	return found.Found(s.KeyPath, why)
}

// notConnected returns the finding that no TCP connection was made.
func (s State) notConnected() engine.Finding {
	e := s.Err
	switch {
	case s.NoRule && e.Cause == sshhost.Refused:
		return s.noRule(e.Addr + " refuses connections")
	case s.NoRule:
		return s.noRule(e.Addr + " does not answer")
	case e.Cause == sshhost.Refused && s.address().NAT && s.Rule != "":
		return refused.Advising(s.forward(page("refused"))).Found(e, fmt.Sprintf(": VirtualBox has NAT rule %q and does not listen for it", s.Rule))
	case e.Cause == sshhost.Refused && s.address().NAT:
		return refused.Advising(s.forward(page("refused"))).Found(e, "")
	case e.Cause == sshhost.Refused:
		return refused.Found(e, "")
	}
	return timedOut.Found(e, s.before())
}

func (s State) noRule(other string) engine.Finding {
	return ruleMissing.Advising(s.forward(ruleMissing.Hint)).Found(s.ruleMissing(), other)
}

// noBanner returns the finding that sshd sent no banner. Through NAT, a refused connection looks
// like one that was closed before the banner.
func (s State) noBanner() engine.Finding {
	e := s.Err
	switch {
	case e.Cause == sshhost.NotSSH:
		return notSSH.Found(e)
	case e.Cause == sshhost.Timeout && s.alive():
		return timedOut.Advising(s.restart("timeout")).Found(e, s.before())
	case e.Cause == sshhost.Timeout:
		return timedOut.Found(e, s.before())
	case s.Direct.Refused:
		host, _, err := net.SplitHostPort(s.Direct.Addr)
		if err != nil {
			host = s.Direct.Addr
		}
		return sshdNotRunning.Advising(s.restart("refused")).Found(host)
	}
	return closedAtOnce.Found(e, s.before())
}

// alive reports whether the docker host answers anything at all, so that only sshd hangs. A docker
// host that is booting, or hangs as a whole, cannot be restarted cleanly.
func (s State) alive() bool { return s.DaemonAnswers || s.DirectDaemon || s.Direct.Connected }

// restart restarts the VM, or shows the code's page if docker-machine cannot restart it.
func (s State) restart(code string) hint.Hint {
	if !s.Restartable {
		return page(code)
	}
	return hint.DockerMachine("restart", hint.Machine)
}

// viaDockerMachine runs a command on the docker host with docker-machine, or shows the code's page
// if docker-machine cannot log in there.
func (s State) viaDockerMachine(code string, command ...string) hint.Hint {
	if !s.ViaDockerMachine {
		return page(code)
	}
	return hint.DockerMachine(append([]string{"ssh", hint.Machine}, command...)...)
}
