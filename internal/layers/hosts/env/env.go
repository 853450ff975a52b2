// Package env is the layer of the calling shell's variables, for this computer's dockerd: do they make
// docker use another docker host?
package env

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	Use      target.Use `json:"docker_uses"`
	NoClient bool       `json:"no_docker_command"`
	OS       string     `json:"-"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "env", Local: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	return State{Use: t.Use(ctx), NoClient: !t.DockerCLI.Installed(), OS: t.Laptop.OS()}, nil
}

var findings engine.Table

var (
	fine          = findings.OK("env.ok", "no variable of this shell points docker elsewhere")
	named         = findings.OK("env.ok", "%s points docker here")
	elsewhere     = findings.Elsewhere("env.points-elsewhere", "%s points docker to %s", engine.Plain)
	broken        = findings.Elsewhere("env.points-elsewhere", "%s points docker to %s, which cannot be used: %s", engine.Plain)
	clientMissing = findings.Aside("env.client-missing", "there is no docker command on this laptop", hint.Explain("env.client-missing"))
)

func (s State) Findings() []engine.Finding {
	var out []engine.Finding
	unset := hint.Shell("unset " + s.Use.Variable)
	switch u := s.Use; {
	case u.Same || u.Variable == "":
	case u.Error != "":
		out = append(out, broken.Advising(unset).Found(u.Variable, u.What, u.Error))
	default:
		out = append(out, elsewhere.Advising(unset).Found(u.Variable, u.What))
	}
	switch {
	case s.NoClient && s.OS == host.Darwin:
		out = append(out, clientMissing.Advising(hint.Run("brew", "install", "docker")).Found())
	case s.NoClient:
		out = append(out, clientMissing.Found())
	case len(out) == 0 && s.Use.Variable != "":
		out = append(out, named.Found(s.Use.Variable))
	case len(out) == 0:
		out = append(out, fine.Found())
	}
	return out
}

// Changes returns none: a program cannot change its caller's environment.
func (State) Changes() []engine.Change { return nil }
