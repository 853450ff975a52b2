// Package daemon is the verdict, end to end: TLS, the Docker API and the
// machine's identity through the endpoint that docker is told.
package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	Running  bool              `json:"running"`
	Endpoint endpoint.Endpoint `json:"endpoint"`
	// Answered says how far the endpoint came: nothing, tcp, tls, docker.
	Answered  string `json:"answered"`
	Err       string `json:"error,omitempty"`
	NotDocker bool   `json:"not_docker"`
	// Complains reports that dockerd itself answers with an error.
	Complains bool              `json:"complains"`
	API       string            `json:"api,omitempty"`
	Identity  endpoint.Identity `json:"identity"`
	// OtherMachine is the machine of the store that answers instead.
	OtherMachine string `json:"other_machine,omitempty"`
	// Untrusted is why a docker client would not accept the certificate.
	Untrusted string `json:"untrusted,omitempty"`
	// Client is the newest API of the laptop's docker command; empty where it was
	// not asked, or does not say.
	Client string `json:"client_api,omitempty"`
	// Down reports that the docker host runs no dockerd, as SSH told.
	Down bool `json:"down"`
	// Elsewhere is the port that dockerd listens on where it is not docker-machine's.
	Elsewhere int                  `json:"listens_elsewhere,omitempty"`
	Start     *changes.StartDaemon `json:"-"`
	Write     *changes.WriteRecord `json:"-"`

	FixHint, IPHint, CertsHint string `json:"-"`
	LogHint                    string `json:"-"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "daemon", Needs: []string{"machine", "forward", "tls"}, Local: true, LaptopOnly: true, Verdict: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	s := State{Endpoint: w.Endpoints.Target(ctx), Identity: endpoint.Unsure,
		FixHint: w.Hint("fix"), IPHint: w.DockerMachine("ip"), CertsHint: w.DockerMachine("regenerate-certs")}
	if !w.Mode.IsQuick() && w.VM.OnHostOnlyNetwork(ctx) {
		s.CertsHint = "docker-vpn-helper explain tls.without-docker-machine"
	}
	if s.Endpoint.Planned || s.Endpoint.Host == "" {
		running, err := w.VM.Running(ctx)
		s.Running = running
		return s, err
	}
	a := w.Endpoints.Ask(ctx, s.Endpoint)
	s.Identity, s.API = a.Identity, a.API
	switch {
	case a.DialErr != nil:
		s.Answered, s.Err = "nothing", a.DialErr.Error()
	case a.Leaf == nil:
		s.Answered, s.Err, s.NotDocker = "tcp", a.TLSErr.Error(), endpoint.NotTLS(a.TLSErr)
	case a.PingErr != nil:
		s.Answered, s.Err = "tls", a.PingErr.Error()
		s.NotDocker, s.Complains = endpoint.NotDocker(a.PingErr), endpoint.Complains(a.PingErr)
	default:
		s.Answered = "docker"
	}
	if a.Leaf != nil {
		if err := w.Endpoints.CheckTrust(ctx, a); err != nil {
			s.Untrusted = err.Error()
		}
		if a.Identity == endpoint.Other {
			s.OtherMachine = w.Endpoints.MachineBehind(ctx, a)
		}
	}
	if s.healthy() {
		s.Running = true
		write, err := changes.PlanRecord(ctx, w, a)
		if err != nil && w.Mode.IsRepair() {
			return nil, err // a repair that records nothing is half of one
		}
		s.Write = write
		if !w.Mode.IsQuick() && !w.Mode.IsRepair() {
			// What it cannot tell is no reason to doubt a dockerd that answers.
			if api, err := w.Docker.API(ctx); err == nil {
				s.Client = api.String()
			}
		}
		return s, nil
	}
	running, err := w.VM.Running(ctx)
	if err != nil {
		return nil, err
	}
	s.Running = running
	if running && a.Leaf == nil {
		// Only the docker host itself can tell a dead dockerd from a dead path.
		if facts, err := w.Guest.Facts(ctx); err == nil && facts.Daemon.PID == 0 {
			s.Down = true
			s.Start = changes.PlanStart(w, facts)
			s.LogHint = facts.Log
		} else if err != nil && ctx.Err() != nil {
			return nil, errors.Join(context.Cause(ctx), err)
		} else if err == nil && !facts.Listens(w.Machine.DaemonPort()) {
			s.Elsewhere = facts.Port()
		}
	}
	return s, nil
}

func (s State) healthy() bool {
	return s.Answered == "docker" && s.Identity == endpoint.Mine && s.Untrusted == ""
}

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
	fail := func(code, title, hint string) []engine.Finding {
		return []engine.Finding{{Code: code, Status: engine.Fail, Title: title, Hint: hint}}
	}
	at := s.Endpoint.URL()
	switch {
	case s.Endpoint.Planned:
		return nil
	case s.Endpoint.Host == "":
		return fail("daemon.unreachable", "no address is known for the machine", s.IPHint)
	case s.Identity == endpoint.Other && s.Answered == "docker":
		who := "a dockerd that is not this machine's"
		if s.OtherMachine != "" {
			who = fmt.Sprintf("machine %q", s.OtherMachine)
		}
		f := fail("daemon.other-machine", fmt.Sprintf("%s answers as %s", at, who), s.FixHint)
		if !s.Running {
			// Worse than silence: docker commands for this machine reach another.
			f[0].Weight = engine.Outranks
		}
		return f
	case s.NotDocker:
		return fail("daemon.not-docker", fmt.Sprintf("something that is not dockerd answers at %s: %s", at, s.Err), s.FixHint)
	case s.Down:
		title := "dockerd is not running in the VM"
		if s.LogHint != "" {
			title += "; its last words: " + s.LogHint
		}
		return fail("daemon.unreachable", title, s.FixHint)
	case s.Complains:
		return fail("daemon.unreachable", fmt.Sprintf("%s (at %s)", s.Err, at), s.FixHint)
	case s.Answered != "docker":
		title := fmt.Sprintf("no answer from dockerd at %s: %s", at, s.Err)
		if s.Elsewhere != 0 {
			title += fmt.Sprintf("; in the VM it listens on port %d, where docker-machine does not look either", s.Elsewhere)
		}
		return fail("daemon.unreachable", title, s.FixHint)
	case s.Untrusted != "":
		return fail("daemon.untrusted", fmt.Sprintf("docker would not trust %s: %s", at, s.Untrusted), s.FixHint)
	case s.Identity != endpoint.Mine:
		return []engine.Finding{{Code: "daemon.identity-unknown", Status: engine.Unknown,
			Title: fmt.Sprintf("dockerd answers at %s, and nothing in the store proves that it is this machine's", at),
			Hint:  s.CertsHint}}
	}
	if f := s.misfit(); f != nil {
		return f
	}
	title := fmt.Sprintf("dockerd answers at %s", at)
	if s.API != "" {
		title += ", API " + s.API
	}
	return []engine.Finding{{Code: "daemon.ok", Status: engine.OK, Title: title}}
}

// misfit is what keeps docker from talking to a dockerd that answers.
func (s State) misfit() []engine.Finding {
	client, ok1 := dockercli.ParseAPI(s.Client)
	daemon, ok2 := dockercli.ParseAPI(s.API)
	if !ok1 || !ok2 {
		return nil
	}
	switch fit, floor := dockercli.Judge(client, daemon, dockercli.API{}); fit {
	case dockercli.DaemonTooOld:
		return []engine.Finding{{Code: "daemon.api-too-old", Status: engine.Fail,
			Title: fmt.Sprintf("dockerd speaks API %s, and the docker command on this laptop (API %s) none older than %s", daemon, client, floor),
			Hint:  "export DOCKER_API_VERSION=" + daemon.String()}}
	case dockercli.ClientTooOld:
		return []engine.Finding{{Code: "daemon.client-too-old", Status: engine.Fail,
			Title: fmt.Sprintf("the docker command on this laptop speaks API %s, and dockerd (API %s) none older than %s", client, daemon, floor),
			Hint:  "docker-vpn-helper explain daemon.client-too-old"}}
	}
	return nil
}

func (s State) Changes() []engine.Change {
	switch {
	case s.Start != nil:
		return []engine.Change{s.Start}
	case s.Write != nil:
		return []engine.Change{s.Write}
	}
	return nil
}
