package target

import (
	"context"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
)

// Use is the docker host that docker uses now in the calling shell.
type Use struct {
	// Ref is its HOST; docker's context "default" if DOCKER_HOST is not a unix socket.
	Ref Ref `json:"-"`
	// Because is what decides it: "DOCKER_HOST", "DOCKER_CONTEXT", "docker context use" or
	// "docker's default". Variable is the environment variable that does; "" if none does.
	Because  string `json:"because"`
	Variable string `json:"variable,omitempty"`
	// What is the endpoint as docker writes it, after the context's name if there is one.
	What string `json:"what"`
	// Same means that it is the same docker host as the Target's. For a machine it only recognizes
	// docker contexts.
	Same bool `json:"same"`
	// Error is why docker cannot use it, such as a context that does not exist; "" if it can.
	Error string `json:"error,omitempty"`
}

// Use finds out which docker host docker uses. docker looks at DOCKER_HOST, DOCKER_CONTEXT, the
// current context and the local socket, in this order (docker/cli, cli/command/cli.go,
// resolveContextName).
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
