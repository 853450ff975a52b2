// Package env is the layer nearest to the user: what the calling shell tells
// docker to talk to.
package env

import (
	"context"
	"fmt"
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
	// Proxy is the variable that would send the endpoint's traffic to a proxy.
	Proxy string `json:"proxy_variable"`

	// NoClient reports that there is no docker command at all.
	NoClient bool `json:"no_docker_command"`

	WantHost string `json:"want_host"`
	WantCert string `json:"want_cert_path"`
	// Unfinished reports that the machine has no environment yet.
	Unfinished bool   `json:"-"`
	OS         string `json:"-"`
}

// Layer describes it to the engine. It cannot be repaired from here: a program cannot change
// its caller's environment.
func Layer() engine.Layer {
	return engine.Layer{Name: "env", Local: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	target := w.Endpoints.Target(ctx)
	s := State{
		Host: w.Getenv("DOCKER_HOST"), CertPath: w.Getenv("DOCKER_CERT_PATH"),
		Verify: w.Getenv("DOCKER_TLS_VERIFY"), Machine: w.Getenv("DOCKER_MACHINE_NAME"),
		Context:  w.Getenv("DOCKER_CONTEXT"),
		WantHost: target.URL(), WantCert: w.Machine.CertDir,
		Unfinished: w.Machine.Unfinished, OS: w.Laptop.OS(),
	}
	if !w.Mode.IsQuick() && !w.Mode.IsRepair() {
		s.NoClient = !w.Docker.Installed()
	}
	s.Proxy = captures(w.Getenv, target.Host)
	return s, nil
}

// captures names the proxy variable that a strict reader of the environment
// (curl, Python) would obey for the endpoint. Go programs never send localhost
// to a proxy (net/http, ProxyFromEnvironment).
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

func (s State) Findings() []engine.Finding {
	var out []engine.Finding
	warn := func(code, title string, weight engine.Weight) {
		out = append(out, engine.Finding{Code: code, Status: engine.Warn, Title: title, Hint: s.env(), Weight: weight})
	}
	switch {
	case s.Host == "" && s.Context == "":
		warn("env.unset", "DOCKER_HOST is not set in this shell", engine.Aside)
	case s.Host == "":
		warn("env.points-elsewhere", fmt.Sprintf("DOCKER_CONTEXT=%s decides what docker talks to", s.Context), engine.Aside)
	case !sameHost(s.Host, s.WantHost):
		warn("env.points-elsewhere", fmt.Sprintf("DOCKER_HOST is %s, the endpoint is %s", s.Host, s.WantHost), engine.Plain)
	case s.Verify == "":
		warn("env.points-elsewhere", "DOCKER_TLS_VERIFY is not set: docker would talk to dockerd without TLS", engine.Plain)
	case !samePath(s.CertPath, s.WantCert):
		warn("env.points-elsewhere", fmt.Sprintf("DOCKER_CERT_PATH is %q, the machine's certificates are in %s", s.CertPath, s.WantCert), engine.Plain)
	}
	if s.Proxy != "" {
		weight := engine.Plain
		if s.Host == "" { // nothing is sent there yet
			weight = engine.Aside
		}
		out = append(out, engine.Finding{Code: "env.proxy-captures", Status: engine.Warn, Weight: weight,
			Title: s.Proxy + " is set and no_proxy does not name the endpoint: curl and Python clients would ask the proxy",
			Hint:  s.env("--no-proxy")})
	}
	if s.NoClient {
		out = append(out, engine.Finding{Code: "env.client-missing", Status: engine.Warn, Weight: engine.Aside,
			Title: "there is no docker command on this laptop", Hint: s.installHint()})
	}
	if len(out) == 0 {
		out = append(out, engine.Finding{Code: "env.ok", Status: engine.OK, Title: "DOCKER_HOST is " + s.Host})
	}
	return out
}

// env is nothing for a machine whose environment cannot be printed yet.
func (s State) env(flags ...string) hint.Hint {
	if s.Unfinished {
		return nil
	}
	return hint.Env(flags...)
}

func (s State) installHint() hint.Hint {
	if s.OS == host.Darwin {
		return hint.Run("brew", "install", "docker")
	}
	return hint.Explain("env.client-missing")
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

// loopback gives the names of the laptop itself one spelling.
func loopback(name string) string {
	if name == "127.0.0.1" || name == "::1" {
		return endpoint.Localhost
	}
	return name
}

func samePath(a, b string) bool {
	return a != "" && filepath.Clean(a) == filepath.Clean(b)
}
