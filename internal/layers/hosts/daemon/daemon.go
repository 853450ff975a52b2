// Package daemon is the layer that decides about a docker host other than a machine: does dockerd
// answer where docker would ask it?
package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// answerTime is how long dockerd may take to answer.
const answerTime = 2 * time.Second

// State is what was found.
type State struct {
	Kind target.Kind `json:"kind"`
	At   string      `json:"at"`
	API  string      `json:"api,omitempty"`
	// Client is the newest API version that the laptop's docker command supports; "" if that is
	// not known or does not matter.
	Client string `json:"client_api,omitempty"`

	// Why a TCP connection failed, as far as it is known.
	Refused      bool `json:"refused,omitempty"`
	TimedOut     bool `json:"timed_out,omitempty"`
	ProxyRefuses bool `json:"proxy_refuses,omitempty"`
	// Connected means that a connection was made. If dockerd did not answer, one of the next four is set.
	Connected bool   `json:"connected"`
	Silent    bool   `json:"silent,omitempty"`     // no answer in time
	Closed    bool   `json:"closed,omitempty"`     // the connection was closed
	NotDocker bool   `json:"not_docker,omitempty"` // another program answered
	Complains bool   `json:"complains,omitempty"`  // dockerd answered with an error
	SlowShell bool   `json:"slow_shell,omitempty"` // the docker host's login shell was still starting
	Error     string `json:"error,omitempty"`
	// NoLogin means that docker cannot run its command on the docker host; layer ssh reports why.
	NoLogin bool `json:"no_login,omitempty"`
	// With ssh://, how the docker host's own docker command failed.
	Remote remote `json:"remote,omitempty"`
	Words  string `json:"words,omitempty"` // what it printed
	Path   string `json:"path,omitempty"`  // where it is installed, if it is not in PATH
	User   string `json:"-"`               // who logged in
	// SSH is the ssh command that logs in as docker does, for hints.
	SSH []string `json:"-"`

	// Use is the docker host that docker itself uses now; zero if that does not matter.
	Use target.Use `json:"docker_uses,omitzero"`
	// Context is the docker context that makes docker use this docker host; "" if there is none.
	Context string `json:"context,omitempty"`
	// Restart is the command that restarts this computer's dockerd; nil if it is not known.
	Restart []string `json:"-"`
}

// Layer describes it to the engine.
func Layer(needs ...string) engine.Layer {
	return engine.Layer{Name: "daemon", Needs: needs, Local: true, Decides: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Kind: t.Kind, At: t.Endpoint(ctx)}
	s.used(ctx, t)
	err := s.ask(ctx, t)
	if err != nil {
		s.Error = err.Error()
		if s.Silent {
			s.Restart = restart(ctx, t)
		}
		return s, nil
	}
	api, ok := dockercli.ParseAPI(s.API)
	if ok && dockercli.MayNotFit(api) && (t.Getenv("DOCKER_API_VERSION") != "" || !t.DockerCLI.SurelyFits(ctx, api)) {
		// If the docker command cannot be asked, that does not matter: dockerd answers.
		if client, err := t.DockerCLI.API(ctx); err == nil {
			s.Client = client.String()
		}
	}
	return s, nil
}

// ask asks dockerd for its API version, as docker would.
func (s *State) ask(ctx context.Context, t *target.Target) error {
	if t.Kind != target.SSH {
		return s.ping(ctx, t)
	}
	to := t.UserSSH.To
	s.SSH, s.User = append([]string{"ssh"}, to.Args()...), to.User
	if c, err := t.UserSSH.Config(ctx); err == nil {
		s.User = c.User
	}
	return s.overSSH(ctx, t)
}

// ping asks dockerd for its API version over one connection.
func (s *State) ping(ctx context.Context, t *target.Target) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := t.Docker(ctx)
	if err != nil {
		var proxy *target.ProxyError
		s.Refused = t.Kind == target.TCP && errors.Is(err, syscall.ECONNREFUSED)
		s.ProxyRefuses = errors.As(err, &proxy)
		var handshake *target.HandshakeError
		timedOut := t.Kind == target.TCP && !s.ProxyRefuses && errors.Is(err, context.DeadlineExceeded)
		s.Silent = timedOut && errors.As(err, &handshake)
		s.TimedOut = timedOut && !s.Silent
		return err
	}
	defer conn.Close()
	s.Connected = true
	s.API, err = dockerd.Ping(ctx, conn, t.Ping())
	var not *dockerd.NotDockerError
	var complaint *dockerd.APIError
	switch {
	case err == nil:
	case t.TCP.PerRequest() && errors.As(err, &not) && refusal(not.Status):
		s.ProxyRefuses = true
		err = &target.ProxyError{Proxy: t.TCP.ProxyName(), Status: not.Text}
	case t.TCP.PerRequest() && errors.Is(err, context.DeadlineExceeded):
		s.ProxyRefuses = true
		err = &target.ProxyError{Proxy: t.TCP.ProxyName(), Status: "no answer (timed out)"}
	case errors.As(err, &not):
		s.NotDocker = true
	case errors.As(err, &complaint):
		s.Complains = true
	case errors.Is(err, context.DeadlineExceeded):
		s.Silent = true
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		s.Closed = true
	}
	return err
}

// refusal reports whether an HTTP status means that a proxy refuses to forward a request.
func refusal(status int) bool {
	return status == http.StatusForbidden || status == http.StatusProxyAuthRequired || status >= http.StatusInternalServerError
}

// used finds out which docker host docker uses now, unless that cannot be compared with t.
func (s *State) used(ctx context.Context, t *target.Target) {
	switch {
	case t.Context != "":
		s.Context = t.Context
	case t.Kind == target.Local:
		s.Context = dockercli.DefaultContext
	default:
		return
	}
	s.Use = t.Use(ctx)
}

// restart returns the command that restarts the system's dockerd, or nil.
func restart(ctx context.Context, t *target.Target) []string {
	if t.Kind != target.Local || t.Socket != target.DefaultSocket || t.Laptop.OS() != host.Linux {
		return nil
	}
	if _, err := t.Laptop.ReadDir(ctx, "/run/systemd/system"); err != nil {
		return nil
	}
	return []string{"sudo", "systemctl", "restart", "docker"}
}

// Changes returns none: only machines are repaired.
func (State) Changes() []engine.Change { return nil }
