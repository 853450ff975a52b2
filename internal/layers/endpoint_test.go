package layers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// A VPN has the host-only address, and another program has port 2376: then the report's endpoint,
// the one with which env compares DOCKER_HOST, and the planned rule all have the same port.
func TestThePlannedEndpointHasThePortOfThePlan(t *testing.T) {
	m := readMachine(t, "testdata/machines/linux_openconnect.txtar")
	m.computer = []byte(strings.Replace(string(m.computer), "os linux\n", "os linux\ntaken 2376\n", 1))
	tgt, _ := m.world(t)
	tgt.Getenv = func(name string) string {
		return map[string]string{"DOCKER_HOST": "tcp://localhost:2376", "DOCKER_TLS_VERIFY": "1"}[name]
	}
	r := diagnoseOn(t, tgt)
	if want := "tcp://localhost:2377"; r.Endpoint != want {
		t.Errorf("endpoint %s, want %s", r.Endpoint, want)
	}
	layer := func(name string) engine.LayerReport {
		return r.Layers[slices.IndexFunc(r.Layers, func(l engine.LayerReport) bool { return l.Layer == name })]
	}
	if plan := layer("forward").Changes; !slices.Equal(plan, []string{"add NAT rule docker-vpn-helper (127.0.0.1:2377 -> VM port 2376)"}) {
		t.Errorf("plan %q", plan)
	}
	if found, want := layer("env").Findings[0].Title, "DOCKER_HOST is tcp://localhost:2376; a repair makes the endpoint tcp://localhost:2377"; found != want {
		t.Errorf("%q, want %q", found, want)
	}
}

// planHasEndpointsPort checks that if docker would use a NAT rule that is still to be added, plan
// and endpoint have the same port.
func planHasEndpointsPort(t *testing.T, r engine.Report) {
	t.Helper()
	if r.Endpoint == r.EndpointNow {
		return // there is an endpoint already
	}
	for _, l := range r.Layers {
		for _, c := range l.Changes {
			var port int
			at := strings.Index(c, "(127.0.0.1:")
			if at < 0 {
				continue
			}
			if _, err := fmt.Sscanf(c[at:], "(127.0.0.1:%d ->", &port); err != nil {
				t.Errorf("%s: %v", c, err)
			}
			if want := fmt.Sprintf("tcp://localhost:%d", port); r.Endpoint != want && strings.HasPrefix(r.Endpoint, "tcp://localhost") {
				t.Errorf("%s, and the endpoint is %s", c, r.Endpoint)
			}
		}
	}
}
