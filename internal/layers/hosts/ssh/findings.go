package ssh

import (
	"cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

var findings engine.Table

var (
	loggedIn      = findings.OK("ssh.ok", "SSH login works (%s)")
	noProgram     = findings.Fail("ssh.client-missing", "this laptop has no ssh command, which docker needs for ssh://", page("client-missing"))
	remoteCommand = findings.Fail("ssh.remote-command", "~/.ssh/config has RemoteCommand %q for %s: docker cannot run its own command", page("remote-command"))
	masterDead    = findings.Fail("ssh.master-dead", "the ControlMaster at %s does not answer (timed out after 3s), and docker would use it", page("master-dead"))
	requestTTY    = findings.Warn("ssh.request-tty", "~/.ssh/config has RequestTTY force for %s: docker before 23.0 reads garbage", page("request-tty"))
	forbidden     = findings.Fail("ssh.timeout", "macOS does not let %[1]s use the local network: %[2]s; allow %[1]s in System Settings > Privacy & Security > Local Network",
		hint.Run("open", laptop.LocalNetworkSettings))
	otherFailure = findings.Fail("ssh.unknown", "%s", page("unknown"))
)

// failures are the findings for failed logins.
var failures = map[userssh.Cause]engine.Definition{
	userssh.NameUnknown:       findings.Fail("ssh.name-unknown", "%s", page("name-unknown")),
	userssh.Refused:           findings.Fail("ssh.refused", "%s", page("refused")),
	userssh.TimedOut:          findings.Fail("ssh.timeout", "%s", page("timeout")),
	userssh.Unreachable:       findings.Fail("ssh.timeout", "%s", page("timeout")),
	userssh.MaxStartups:       findings.Fail("ssh.max-startups", "%s: sshd has as many logins in progress as it allows", page("max-startups")),
	userssh.ClosedAtOnce:      findings.Fail("ssh.closed-before-banner", "%s", page("closed-before-banner")),
	userssh.NotSSH:            findings.Fail("ssh.not-ssh", "%s", page("not-ssh")),
	userssh.NoCommonAlgorithm: findings.Fail("ssh.no-common-algorithm", "%s", page("no-common-algorithm")),
	userssh.ClosedInKex:       findings.Fail("ssh.closed-in-key-exchange", "%s", page("closed-in-key-exchange")),
	userssh.HostKeyChanged:    findings.Fail("ssh.host-key-changed", "%s", page("host-key-changed")),
	userssh.HostKeyUnknown:    findings.Fail("ssh.host-key-unknown", "%s: the host key is not in known_hosts yet", page("host-key-unknown")),
	userssh.AuthFailed:        findings.Fail("ssh.auth-failed", "%s", page("auth-failed")),
	userssh.TooManyKeys:       findings.Fail("ssh.auth-failed", "%s: the agent offers more keys than sshd tries", page("auth-failed")),
	userssh.ConfigBroken:      findings.Fail("ssh.config-broken", "%s", page("config-broken")),
	userssh.ProxyFailed:       findings.Fail("ssh.proxy-failed", "%s: the jump host does not reach the docker host", page("proxy-failed")),
	userssh.Lost:              findings.Fail("ssh.connection-lost", "%s", page("connection-lost")),
}

// page returns the command that explains a code.
func page(code string) hint.Hint { return hint.Explain("ssh." + code) }

func (s State) Findings() []engine.Finding {
	all := []engine.Finding{s.login()}
	if s.Config.TTY {
		all = append(all, requestTTY.Found(s.To.Host))
	}
	return all
}

func (s State) login() engine.Finding {
	switch {
	case s.NoProgram:
		return noProgram.Found()
	case s.MasterDead:
		return masterDead.Advising(hint.Run("rm", s.Config.ControlPath)).Found(s.Config.ControlPath)
	case s.Forbidden:
		return forbidden.Found(cmp.Or(s.App, "the terminal program"), s.Error)
	case s.Error != "":
		return s.failure()
	case s.Config.RemoteCommand != "":
		return remoteCommand.Found(s.Config.RemoteCommand, s.To.Host)
	}
	return loggedIn.Found(s.To.String())
}

func (s State) failure() engine.Finding {
	d, known := failures[s.Cause]
	if !known {
		d = otherFailure
	}
	if s.Cause == userssh.HostKeyUnknown {
		d = d.Advising(hint.Run(append([]string{"ssh"}, s.To.Args("true")...)...)) // asks whether to accept the key
	}
	return d.Found(s.Error)
}
