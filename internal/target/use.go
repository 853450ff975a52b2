package target

import (
	"context"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
)

// Use is what docker itself uses now, in the calling shell.
type Use struct {
	// Ref names it: docker's context "default" where DOCKER_HOST is of a kind of its own.
	Ref Ref `json:"-"`
	// Because is what decides it: "DOCKER_HOST", "DOCKER_CONTEXT", "docker context use", or
	// "docker's default". Variable is the one of the environment; "" if none decides.
	Because  string `json:"because"`
	Variable string `json:"variable,omitempty"`
	// What is the endpoint as docker has it, with the context's name.
	What string `json:"what"`
	// Same reports that it is the docker host that was asked about; of a machine, by a context.
	Same bool `json:"same"`
	// Error is why docker cannot use it, such as a context that does not exist.
	Error string `json:"error,omitempty"`
}

// Use finds out what docker itself uses: DOCKER_HOST, DOCKER_CONTEXT, the current context, the
// local socket (docker/cli, cli/command/cli.go, resolveContextName).
func (t *Target) Use(ctx context.Context) Use {
	u := Use{Ref: Ref{Kind: Local}, Because: "docker's default"}
	url, name := t.Getenv("DOCKER_HOST"), t.Getenv("DOCKER_CONTEXT")
	switch {
	case url != "":
		u.Because, u.Variable = "DOCKER_HOST", "DOCKER_HOST"
		if !strings.HasPrefix(url, "unix://") {
			u.Ref = Ref{Context, dockercli.DefaultContext}
		}
	case name != "":
		u.Because, u.Variable, u.Ref = "DOCKER_CONTEXT", "DOCKER_CONTEXT", Ref{Context, name}
	default:
		if name = dockercli.CurrentContext(ctx, t.Laptop, dockerConfig(t.Getenv)); name != dockercli.DefaultContext {
			u.Because, u.Ref = "docker context use", Ref{Context, name}
		}
	}
	used := &Target{Laptop: t.Laptop, Store: t.Store, Getenv: t.Getenv, StateDir: t.StateDir}
	if err := used.Open(ctx, u.Ref); err != nil {
		u.Error = err.Error()
	}
	u.What = used.Endpoint(ctx)
	switch {
	case u.What == "" && url != "":
		u.What = url
	case u.What == "":
		u.What = "context " + name
	case used.Context != "":
		u.What = "context " + used.Context + ", " + u.What
	}
	here := used.Kind == t.Kind || t.Kind == Machine && used.Kind == TCP
	u.Same = u.Error == "" && here && used.Endpoint(ctx) == t.Endpoint(ctx)
	return u
}
