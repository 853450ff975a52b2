package daemon

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

// A dockerd that answers is not healthy for a user whose docker command cannot talk to it.
func TestClientsFit(t *testing.T) {
	for name, c := range map[string]struct{ client, daemon, code string }{
		"docker_28_boot2docker_18.09":    {"1.51", "1.39", "daemon.ok"},
		"docker_29_boot2docker_19.03":    {"1.52", "1.40", "daemon.api-too-old"},
		"docker_29.3_boot2docker_19.03":  {"1.54", "1.40", "daemon.ok"},
		"docker_29.3_boot2docker_18.09":  {"1.54", "1.39", "daemon.api-too-old"},
		"docker_29_told_to_speak_1.40":   {"1.40", "1.40", "daemon.ok"},
		"docker_29_docker_25":            {"1.52", "1.44", "daemon.ok"},
		"toolbox_1.9_boot2docker_1.8.2":  {"1.21", "1.20", "daemon.api-too-old"},
		"toolbox_1.9_boot2docker_19.03":  {"1.21", "1.40", "daemon.ok"},
		"docker_19.03_docker_29":         {"1.40", "1.52", "daemon.client-too-old"},
		"docker_19.03_docker_29.3":       {"1.40", "1.54", "daemon.ok"},
		"docker_20.10_docker_29.7":       {"1.41", "1.56", "daemon.ok"},
		"docker_18.09_docker_29.7":       {"1.39", "1.56", "daemon.client-too-old"},
		"docker_1.10_docker_25":          {"1.22", "1.44", "daemon.client-too-old"},
		"docker_says_nothing":            {"", "1.40", "daemon.ok"},
		"dockerd_does_not_say_its_API":   {"1.52", "", "daemon.ok"},
		"docker_says_something_peculiar": {"<no value>", "1.40", "daemon.ok"},
	} {
		t.Run(name, func(t *testing.T) {
			s := State{Running: true, Endpoint: endpoint.Endpoint{Host: "localhost", Port: 2376}, Answered: "docker", Identity: endpoint.Mine, API: c.daemon, Client: c.client}
			status := engine.Fail
			if c.code == "daemon.ok" {
				status = engine.OK
			}
			got := s.Findings()
			if diff := cmp.Diff([]engine.Finding{{Code: c.code, Status: status}}, []engine.Finding{{Code: got[0].Code, Status: got[0].Status}}); diff != "" || len(got) != 1 {
				t.Error(diff, got)
			}
		})
	}
}

// If dockerd listens on another port, the finding names it: the rule's port will never answer.
func TestDaemonListensElsewhere(t *testing.T) {
	s := State{Running: true, Endpoint: endpoint.Endpoint{Host: "localhost", Port: 2376}, Answered: "nothing", Err: "connection refused", Elsewhere: 2377}
	want := []engine.Finding{{Code: "daemon.unreachable", Status: engine.Fail, Hint: hint.Fix(),
		Title: "no answer from dockerd at tcp://localhost:2376: connection refused; in the VM it listens on port 2377, where docker-machine does not look either"}}
	if diff := cmp.Diff(want, s.Findings()); diff != "" {
		t.Error(diff)
	}
}

func TestChanges(t *testing.T) {
	for name, c := range map[string]struct {
		state State
		want  []engine.Change
	}{
		"healthy":                      {State{}, nil},
		"endpoint_is_not_recorded":     {State{RecordPath: "/store/record", Record: "text"}, []engine.Change{&hostchange.WriteRecord{Path: "/store/record", New: "text"}}},
		"dockerd_does_not_run":         {State{Machine: "default", Down: true, Startable: true}, []engine.Change{&hostchange.StartDaemon{Machine: "default"}}},
		"nothing_there_starts_dockerd": {State{Down: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.state.Changes()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
