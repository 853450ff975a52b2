package daemon

import (
	"cmp"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

var findings engine.Table

var (
	answers      = findings.OK("daemon.ok", "dockerd answers, API %s")
	answersOld   = findings.OK("daemon.ok", "dockerd answers")
	unreachable  = findings.Fail("daemon.unreachable", "no answer from dockerd: %s", page("unreachable"))
	refused      = findings.Fail("daemon.unreachable", "%s refuses the connection: dockerd does not listen there", page("unreachable"))
	noConnection = findings.Fail("daemon.unreachable", "connecting to %s timed out after 2s", page("unreachable"))
	proxyRefuses = findings.Fail("daemon.proxy-refuses", "%s", page("proxy-refuses"))
	complains    = findings.Fail("daemon.refuses", "%s", page("refuses"))
	closed       = findings.Fail("daemon.unreachable", "the connection was closed without an answer", page("unreachable"))
	silent       = findings.Fail("daemon.hangs", "dockerd accepts connections, but does not answer (timed out)", page("hangs"))
	notDocker    = findings.Fail("daemon.not-docker", "a program other than dockerd answers: %s", page("not-docker"))
	apiTooOld    = findings.Fail("daemon.api-too-old", "dockerd supports API %s, and the docker command on this laptop (API %s) none older than %s", nil)
	clientTooOld = findings.Fail("daemon.client-too-old", "the docker command on this laptop supports API %s, and dockerd (API %s) none older than %s", page("client-too-old"))

	onlyInPlace   = findings.Fail("daemon.not-in-path", "docker is %s on the docker host, which is not in the PATH of a shell without a terminal", page("not-in-path"))
	noRemoteCLI   = findings.Fail("daemon.not-installed", "the docker host has no docker command: %s", page("not-installed"))
	tooOldForSSH  = findings.Fail("daemon.no-dial-stdio", "docker on the docker host is too old for ssh:// (before 18.09): %s", page("no-dial-stdio"))
	remoteDenied  = findings.Fail("daemon.socket-denied", "%s may not connect to dockerd's socket on the docker host: %s", page("socket-denied"))
	remoteDown    = findings.Fail("daemon.unreachable", "dockerd is not running on the docker host: %s", page("unreachable"))
	shellTalks    = findings.Fail("daemon.shell-output", "the login shell on the docker host prints %q before docker's answer", page("shell-output"))
	shellSlow     = findings.Warn("daemon.shell-slow", "dockerd answers, but the login shell on the docker host takes more than 3s to start, and each docker command waits for it", page("shell-slow"))
	commandFailed = findings.Fail("daemon.no-commands", "the docker host does not run docker's command: %s", page("no-commands"))

	usesOther  = findings.Elsewhere("daemon.context-elsewhere", "docker uses %s (%s), not this docker host", engine.Plain)
	usesBroken = findings.Elsewhere("daemon.context-elsewhere", "docker uses %s (%s), which cannot be used: %s", engine.Plain)
)

// page returns the command that explains a code.
func page(code string) hint.Hint { return hint.Explain("daemon." + code) }

func (s State) Findings() []engine.Finding {
	var all []engine.Finding
	if !s.NoLogin {
		all = append(all, s.answer())
	}
	if f, ok := s.elsewhere(); ok {
		all = append(all, f)
	}
	return all
}

// answer returns the finding about dockerd's answer.
func (s State) answer() engine.Finding {
	switch {
	case s.Remote != fine:
		return s.remote()
	case s.SlowShell:
		return shellSlow.Found()
	case s.NotDocker:
		return notDocker.Found(s.Error)
	case s.Complains:
		return complains.Found(s.Error)
	case s.Silent && len(s.Restart) > 0:
		return silent.Advising(hint.Run(s.Restart...)).Found()
	case s.Silent:
		return silent.Found()
	case s.Refused:
		return refused.Found(s.At)
	case s.TimedOut:
		return noConnection.Found(s.At)
	case s.ProxyRefuses:
		return proxyRefuses.Found(s.Error)
	case s.Closed:
		return closed.Found()
	case s.Error != "":
		return unreachable.Found(s.Error)
	}
	client, ok1 := dockercli.ParseAPI(s.Client)
	daemon, ok2 := dockercli.ParseAPI(s.API)
	if ok1 && ok2 {
		switch fit, floor := dockercli.Judge(client, daemon, dockercli.API{}); fit {
		case dockercli.DaemonTooOld:
			return apiTooOld.Advising(hint.Shell("export DOCKER_API_VERSION="+daemon.String())).Found(daemon, client, floor)
		case dockercli.ClientTooOld:
			return clientTooOld.Found(client, daemon, floor)
		}
	}
	if s.API == "" {
		return answersOld.Found()
	}
	return answers.Found(s.API)
}

// remote returns the finding about the docker host's docker command, which fails.
func (s State) remote() engine.Finding {
	there := func(command ...string) hint.Hint { return hint.Run(append(slices.Clone(s.SSH), command...)...) }
	switch s.Remote {
	case notInPath:
		return onlyInPlace.Found(s.Path)
	case notInstalled:
		return noRemoteCLI.Found(s.Words)
	case noDialStdio:
		return tooOldForSSH.Found(s.Words)
	case denied:
		return remoteDenied.Advising(there("sudo", "usermod", "-aG", "docker", s.User)).Found(s.User, s.Words)
	case down:
		return remoteDown.Advising(there("sudo", "systemctl", "start", "docker")).Found(s.Words)
	case talks:
		return shellTalks.Found(s.Words)
	}
	return commandFailed.Found(cmp.Or(s.Words, s.Error))
}

// BlockedBy returns the layer that keeps docker from getting here, or "".
func (s State) BlockedBy() string {
	if s.NoLogin {
		return "ssh"
	}
	return ""
}

// elsewhere returns the finding that docker uses another docker host. If a variable of the shell is
// the reason and the layer env exists, that layer reports it.
func (s State) elsewhere() (f engine.Finding, ok bool) {
	u := s.Use
	if s.Context == "" || u.Same || s.Kind == target.Local && s.Context == dockercli.DefaultContext && u.Variable != "" {
		return f, false
	}
	d := usesOther
	if u.Error != "" {
		d = usesBroken
	}
	if u.Variable != "" {
		d = d.Advising(hint.Shell("unset " + u.Variable))
	} else {
		d = d.Advising(hint.Run(append([]string{dockercli.Program}, dockercli.UseContextArgs(s.Context)...)...))
	}
	if u.Error != "" {
		return d.Found(u.What, u.Because, u.Error), true
	}
	return d.Found(u.What, u.Because), true
}
