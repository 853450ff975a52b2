// Package env is the layer nearest to the user: the docker host to which the calling shell's
// variables point docker.
package env

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	Host     string `json:"docker_host"`
	CertPath string `json:"docker_cert_path"`
	Verify   string `json:"docker_tls_verify"`
	Machine  string `json:"docker_machine_name"`
	Context  string `json:"docker_context"`
	// ContextHere is the docker context in use if it points to the endpoint, or "".
	ContextHere string `json:"docker_context_here,omitempty"`
	// Proxy is the variable that would send the endpoint's traffic to a proxy, or "".
	Proxy string `json:"proxy_variable"`

	// NoClient means that the docker command is not installed.
	NoClient bool `json:"no_docker_command"`

	// WantHost is what DOCKER_HOST should be, looked up only if DOCKER_HOST is set.
	WantHost string `json:"want_host,omitempty"`
	// Planned means that WantHost works only after a repair.
	Planned  bool   `json:"want_host_planned,omitempty"`
	WantCert string `json:"want_cert_path"`
	// NoEndpoint means that docker has no endpoint until a repair makes one.
	NoEndpoint bool `json:"no_endpoint,omitempty"`
	// CreateUnfinished means that the machine has no environment yet.
	CreateUnfinished bool   `json:"-"`
	OS               string `json:"-"`
}

// Layer returns the layer for the engine. It plans no changes: a program cannot change its caller's
// environment.
func Layer() engine.Layer {
	return engine.Layer{Name: "env", Local: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	forDocker := t.Endpoints.ForDocker(ctx)
	s := State{
		Host: t.Getenv("DOCKER_HOST"), CertPath: t.Getenv("DOCKER_CERT_PATH"),
		Verify: t.Getenv("DOCKER_TLS_VERIFY"), Machine: t.Getenv("DOCKER_MACHINE_NAME"),
		Context:          t.Getenv("DOCKER_CONTEXT"),
		WantCert:         t.Machine.CertDir,
		NoEndpoint:       forDocker.Planned,
		CreateUnfinished: t.Machine.CreateUnfinished, OS: t.Laptop.OS(),
	}
	if s.Host != "" {
		goal := t.Endpoints.Goal(ctx)
		s.WantHost, s.Planned = goal.URL(), goal.Planned
	} else if use := t.Use(ctx); use.Same {
		s.ContextHere = use.Ref.Name
	}
	if !t.Mode.IsQuick() && !t.Mode.IsRepair() {
		s.NoClient = !t.DockerCLI.Installed()
	}
	s.Proxy = captures(t.Getenv, forDocker.Host)
	return s, nil
}

// captures returns the proxy variable that curl and Python would obey for the endpoint, or "". Go
// programs never send localhost to a proxy (net/http, ProxyFromEnvironment).
func captures(getenv func(string) string, host string) string {
	for _, key := range []string{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"} {
		if getenv(key) == "" {
			continue
		}
		for _, list := range []string{getenv("no_proxy"), getenv("NO_PROXY")} {
			if shell.NoProxyCovers(list, host) {
				return ""
			}
		}
		return key
	}
	return ""
}

var findings engine.Table

var (
	pointsHere     = findings.OK("env.ok", "DOCKER_HOST is %s")
	pointsThere    = findings.OK("env.ok", "DOCKER_HOST is %s, which a repair makes the endpoint")
	contextHere    = findings.OK("env.ok", "docker context %s leads here")
	unset          = findings.Elsewhere("env.unset", "DOCKER_HOST is not set in this shell", engine.Aside)
	contextDecides = findings.Elsewhere("env.points-elsewhere", "DOCKER_CONTEXT=%s decides what docker talks to", engine.Aside)
	otherHost      = findings.Elsewhere("env.points-elsewhere", "DOCKER_HOST is %s, the endpoint is %s", engine.Plain)
	beforeRepair   = findings.Elsewhere("env.points-elsewhere", "DOCKER_HOST is %s; a repair makes the endpoint %s", engine.Plain)
	withoutTLS     = findings.Elsewhere("env.points-elsewhere", "DOCKER_TLS_VERIFY is not set: docker would talk to dockerd without TLS", engine.Plain)
	otherCerts     = findings.Warn("env.points-elsewhere", "DOCKER_CERT_PATH is %q, the machine's certificates are in %s", nil)
	proxyCaptures  = findings.Warn("env.proxy-captures", "%s is set and no_proxy does not name the endpoint: curl and Python clients would ask the proxy", nil)
	clientMissing  = findings.Aside("env.client-missing", "there is no docker command on this laptop", hint.Explain("env.client-missing"))
)

func (s State) Findings() []engine.Finding {
	var out []engine.Finding
	switch {
	case s.ContextHere != "":
	case s.Host == "" && s.Context == "":
		out = append(out, unset.Advising(s.env()).Found())
	case s.Host == "":
		out = append(out, contextDecides.Advising(s.env()).Found(s.Context))
	case !sameHost(s.Host, s.WantHost) && s.Planned:
		out = append(out, beforeRepair.Advising(s.env()).Found(s.Host, s.WantHost))
	case !sameHost(s.Host, s.WantHost):
		out = append(out, otherHost.Advising(s.env()).Found(s.Host, s.WantHost))
	case s.Verify == "":
		out = append(out, withoutTLS.Advising(s.env()).Found())
	case !samePath(s.CertPath, s.WantCert):
		out = append(out, otherCerts.Advising(s.env()).Found(s.CertPath, s.WantCert))
	}
	if s.Proxy != "" {
		f := proxyCaptures.Advising(s.env("--no-proxy")).Found(s.Proxy)
		if s.Host == "" { // DOCKER_HOST is not set yet, so nothing is sent
			f.Weight = engine.Aside
		}
		out = append(out, f)
	}
	switch {
	case s.NoClient && s.OS == host.Darwin:
		out = append(out, clientMissing.Advising(hint.Run("brew", "install", "docker")).Found())
	case s.NoClient:
		out = append(out, clientMissing.Found())
	case len(out) == 0 && s.ContextHere != "":
		out = append(out, contextHere.Found(s.ContextHere))
	case len(out) == 0 && s.Planned:
		out = append(out, pointsThere.Found(s.Host))
	case len(out) == 0:
		out = append(out, pointsHere.Found(s.Host))
	}
	return out
}

// env returns the command that sets the variables; none for a machine that has no environment yet.
// If docker has no endpoint, that command is fix.
func (s State) env(flags ...string) hint.Hint {
	switch {
	case s.CreateUnfinished:
		return nil
	case s.NoEndpoint:
		h := hint.Fix()
		h[0].Eval = true
		return h
	}
	return hint.Env(flags...)
}

func (State) Changes() []engine.Change { return nil }

func sameHost(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	if errA != nil || errB != nil {
		return false
	}
	return ua.Port() == ub.Port() && loopback(ua.Hostname()) == loopback(ub.Hostname())
}

// loopback returns one spelling for all names of the laptop itself.
func loopback(name string) string {
	if name == host.Loopback || name == "::1" {
		return endpoint.Localhost
	}
	return name
}

func samePath(a, b string) bool {
	return a != "" && filepath.Clean(a) == filepath.Clean(b)
}
