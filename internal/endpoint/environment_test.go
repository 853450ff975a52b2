package endpoint_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
)

// What env has not set, env --unset leaves.
func TestSomebodyElsesVariablesStay(t *testing.T) {
	const verify, host, certs, machine = "DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"
	for name, c := range map[string]struct {
		env    map[string]string
		others []string
	}{
		"nothing_set":           {nil, nil},
		"env_default":           {map[string]string{verify: "1", host: "tcp://localhost:2376", certs: "/s/machines/default", machine: "default"}, nil},
		"docker_machine_env":    {map[string]string{verify: "1", host: "tcp://192.168.99.100:2376", certs: "/s/machines/default", machine: "default"}, nil},
		"changed_to_a_socket":   {map[string]string{verify: "1", host: "unix:///run/docker.sock", certs: "/s/machines/default", machine: "default"}, []string{host}},
		"a_server_of_somebody":  {map[string]string{verify: "yes", host: "tcp://build.example.com:2376", certs: "/home/u/certs"}, []string{verify, host, certs}},
		"another_stores":        {map[string]string{verify: "1", host: "tcp://10.0.0.5:2376", certs: "/other/machines/default", machine: "default"}, nil},
		"another_directory":     {map[string]string{verify: "1", host: "tcp://10.0.0.5:2376", certs: "/other/machines/default", machine: "dev"}, []string{host, certs}},
		"name_of_another":       {map[string]string{host: "tcp://127.0.0.1:2377", certs: "/s/machines/dev/", machine: "default"}, []string{machine}},
		"what_cannot_be_parsed": {map[string]string{host: "tcp://[::1"}, []string{host}},
	} {
		t.Run(name, func(t *testing.T) {
			ours, others := endpoint.SplitEnv(func(k string) string { return c.env[k] }, "/s")
			if diff := cmp.Diff(c.others, others); diff != "" {
				t.Error(diff)
			}
			if len(ours)+len(others) != 4 {
				t.Errorf("%v and %v are not all", ours, others)
			}
		})
	}
}
