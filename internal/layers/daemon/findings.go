package daemon

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var findings engine.Table

var (
	answers         = findings.OK("daemon.ok", "dockerd answers at %s%s")
	noAddress       = findings.Fail("daemon.unreachable", "no address is known for the machine", hint.DockerMachine("ip", hint.Machine))
	notRunning      = findings.Fail("daemon.unreachable", "dockerd is not running in the VM%s", hint.Fix())
	complains       = findings.Fail("daemon.refuses", "%s (at %s)", hint.Explain("daemon.refuses"))
	noAnswer        = findings.Fail("daemon.unreachable", "no answer from dockerd at %s: %s%s", hint.Fix())
	otherMachine    = findings.Fail("daemon.other-machine", "%s answers as %s", hint.Fix())
	notDocker       = findings.Fail("daemon.not-docker", "something that is not dockerd answers at %s: %s", hint.Fix())
	untrusted       = findings.Fail("daemon.untrusted", "docker would not trust %s: %s", hint.Fix())
	identityUnknown = findings.Unknown("daemon.identity-unknown", "dockerd answers at %s, but nothing in the store identifies it as this machine's",
		hint.DockerMachine("regenerate-certs", hint.Machine))
	apiTooOld = findings.Fail("daemon.api-too-old",
		"dockerd speaks API %s, and the docker command on this laptop (API %s) none older than %s", nil)
	clientTooOld = findings.Fail("daemon.client-too-old",
		"the docker command on this laptop speaks API %s, and dockerd (API %s) none older than %s", hint.Explain("daemon.client-too-old"))
)

func (s State) BlockedBy() string {
	switch {
	case !s.Endpoint.Planned:
		return ""
	case !s.Running:
		return "machine"
	}
	return "forward"
}

func (s State) Findings() []engine.Finding {
	if s.Endpoint.Planned {
		return nil
	}
	return []engine.Finding{s.finding()}
}

func (s State) finding() engine.Finding {
	at := s.Endpoint.URL()
	switch {
	case s.Endpoint.Host == "":
		return noAddress.Found()
	case s.Identity == endpoint.Other && s.Answered == "docker":
		return s.other(at)
	case s.NotDocker:
		return notDocker.Found(at, s.Err)
	case s.Down && s.Log != "":
		return notRunning.Found("; its log ends with: " + s.Log)
	case s.Down:
		return notRunning.Found("")
	case s.Complains:
		return complains.Found(s.Err, at)
	case s.Answered != "docker" && s.Elsewhere != 0:
		return noAnswer.Found(at, s.Err, fmt.Sprintf("; in the VM it listens on port %d, where docker-machine does not look either", s.Elsewhere))
	case s.Answered != "docker":
		return noAnswer.Found(at, s.Err, "")
	case s.Untrusted != "":
		return untrusted.Found(at, s.Untrusted)
	case s.Identity != endpoint.Mine && s.HostOnlyNetwork:
		return identityUnknown.Advising(hint.Explain("tls.without-docker-machine")).Found(at)
	case s.Identity != endpoint.Mine:
		return identityUnknown.Found(at)
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
	if s.API != "" {
		return answers.Found(at, ", API "+s.API)
	}
	return answers.Found(at, "")
}

// other returns the finding that another machine's dockerd answers. While this VM is off, that is
// worse than no answer: docker commands for this machine reach another one.
func (s State) other(at string) engine.Finding {
	who := "a dockerd that is not this machine's"
	if s.OtherMachine != "" {
		who = fmt.Sprintf("machine %q", s.OtherMachine)
	}
	f := otherMachine.Found(at, who)
	if !s.Running {
		f.Weight = engine.Outranks
	}
	return f
}

func (s State) Changes() []engine.Change {
	switch {
	case s.Down && s.Startable:
		return []engine.Change{&hostchange.StartDaemon{Machine: s.Machine}}
	case s.Record != "":
		return []engine.Change{&hostchange.WriteRecord{Path: s.RecordPath, New: s.Record}}
	}
	return nil
}
