// Package context is the layer of the docker context that points to the machine. Only the context
// command inspects and repairs it; it is in no report.
package context

import (
	"context"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Wish is what the user wants of the context.
type Wish struct {
	Use   bool // make it the current context
	Force bool // replace it even if no run has pointed it where it points
	// Endpoint is the URL to point it to: one that works now, not one that a repair would prefer.
	Endpoint string
	// Ours are the endpoints to which earlier runs have pointed it. If it points to one of them, it
	// may be changed.
	Ours []string
}

// State is what was found.
type State struct {
	Name     string `json:"name"`
	Exists   bool   `json:"exists"`
	Endpoint string `json:"endpoint"`
	Want     string `json:"want"`
	// Holds means that it contains the machine's own TLS files.
	Holds   bool   `json:"holds_the_tls_files"`
	Current string `json:"current"`

	Wish    Wish   `json:"-"`
	Machine string `json:"-"`
	Dir     string `json:"-"`
	Config  string `json:"-"`
}

// Layer returns the layer for the engine. Its findings alone decide the verdict.
func Layer(wish Wish) engine.Layer {
	return engine.Layer{Name: "context", Local: true, LaptopOnly: true, Decides: true, Findings: findings,
		Inspect: func(ctx context.Context, t *target.Target) (engine.State, error) { return inspect(ctx, t, wish) }}
}

func inspect(ctx context.Context, t *target.Target, wish Wish) (engine.State, error) {
	config, err := dockercli.ConfigDir(t.Getenv)
	if err != nil {
		return nil, err
	}
	s := State{
		Name: dockercli.ContextName(t.Machine.Name), Want: wish.Endpoint, Wish: wish, Machine: t.Machine.Name,
		Dir: t.Machine.CertDir, Config: config,
	}
	found, current, err := t.DockerCLI.Context(ctx, config, s.Name)
	if err != nil {
		return nil, err
	}
	s.Exists, s.Endpoint, s.Current = found.Name != "", found.Endpoint, current
	if s.Exists && s.Endpoint == s.Want {
		s.Holds, err = t.DockerCLI.ContextHolds(ctx, config, s.Name, t.Machine.CertDir)
	}
	return s, err
}

// foreign reports whether the context points somewhere that no run has pointed it to.
func (s State) foreign() bool {
	return s.Exists && s.Endpoint != s.Want && !s.Wish.Force && !slices.Contains(s.Wish.Ours, s.Endpoint)
}

var findings engine.Table

var (
	leadsHere  = findings.OK("context.ok", "docker context %s leads to %s")
	missing    = findings.Warn("context.missing", "docker has no context %s", again)
	taken      = findings.Fail("context.taken", "docker context %s leads to %s, where docker-vpn-helper has not pointed it; the endpoint is %s", hint.Own("context", "--force", hint.Machine))
	outdated   = findings.Warn("context.outdated", "docker context %s leads to %s, the endpoint is %s", again)
	otherFiles = findings.Warn("context.outdated", "docker context %s has other TLS files than the machine", again)
	notCurrent = findings.Warn("context.not-current", "docker uses context %s, not %s", nil)
)

var again = hint.Own("context", hint.Machine)

func (s State) Findings() []engine.Finding { return []engine.Finding{s.finding()} }

func (s State) finding() engine.Finding {
	switch {
	case !s.Exists:
		return missing.Found(s.Name)
	case s.foreign():
		return taken.Found(s.Name, s.Endpoint, s.Want)
	case s.Endpoint != s.Want:
		return outdated.Found(s.Name, s.Endpoint, s.Want)
	case !s.Holds:
		return otherFiles.Found(s.Name)
	case s.Wish.Use && s.Current != s.Name:
		return notCurrent.Advising(hint.Run("docker", "context", "use", s.Name)).Found(s.Current, s.Name)
	}
	return leadsHere.Found(s.Name, s.Want)
}

func (s State) Changes() []engine.Change {
	var plan []engine.Change
	if s.foreign() {
		return nil
	}
	if !s.Exists || s.Endpoint != s.Want || !s.Holds {
		plan = append(plan, &laptopchange.SetContext{Machine: s.Machine, Name: s.Name, Endpoint: s.Want, Dir: s.Dir, Config: s.Config})
	}
	if s.Wish.Use && s.Current != s.Name {
		plan = append(plan, &laptopchange.UseContext{Name: s.Name, Config: s.Config})
	}
	return plan
}
