package dockercli_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

// withDocker is the start of a transcript of a laptop that has docker in PATH.
const withDocker = "-- computer --\nos linux\npath docker /usr/bin/docker\n"

func TestNoDockerCommand(t *testing.T) {
	c := dockercli.New(hosttest.New(t, []byte("-- computer --\nos darwin\n")))
	if c.Installed() {
		t.Error("Installed() = true")
	}
	if _, err := c.API(t.Context()); !errors.Is(err, dockercli.ErrMissing) {
		t.Errorf("API: %v, want ErrMissing", err)
	}
	if _, err := c.Contexts(t.Context(), ""); !errors.Is(err, dockercli.ErrMissing) {
		t.Errorf("Contexts: %v, want ErrMissing", err)
	}
}

// docker 28.2.2 ends with status 1, because the daemon that it is asked for is not there.
func TestClientAPIIsAskedOnce(t *testing.T) {
	const question = "$ docker --host unix:///nonexistent/docker.sock version --format {{.Client.APIVersion}}"
	laptop := hosttest.New(t, []byte(withDocker+"-- "+question+" => exit 1 --\n1.50\n"))
	c := dockercli.New(laptop)
	for range 2 {
		if api, err := c.API(t.Context()); err != nil || api != (dockercli.API{Major: 1, Minor: 50}) {
			t.Errorf("API() = %v, %v", api, err)
		}
	}
	if diff := cmp.Diff([]string{question}, laptop.Ran()); diff != "" {
		t.Error(diff)
	}
}

func TestContextHoldsTheMachinesFiles(t *testing.T) {
	const (
		inspect = "-- $ docker context inspect dev --\n"
		stored  = `[{"Name":"dev","Endpoints":{"docker":{"Host":"tcp://localhost:2376","SkipTLSVerify":false}},
"TLSMaterial":{"docker":["ca.pem","cert.pem","key.pem"]},"Storage":{"TLSPath":"/tls"}}]
`
		unverified = `[{"Name":"dev","Endpoints":{"docker":{"Host":"tcp://localhost:2376","SkipTLSVerify":true}},
"TLSMaterial":{"docker":["ca.pem","cert.pem","key.pem"]},"Storage":{"TLSPath":"/tls"}}]
`
		machine = "-- /m/ca.pem --\nca\n-- /m/cert.pem --\ncert\n-- /m/key.pem --\nkey\n"
		copies  = "-- /tls/docker/ca.pem --\nca\n-- /tls/docker/cert.pem --\ncert\n"
	)
	for name, tt := range map[string]struct {
		laptop string
		want   bool
	}{
		"same_files":      {inspect + stored + machine + copies + "-- /tls/docker/key.pem --\nkey\n", true},
		"another_key":     {inspect + stored + machine + copies + "-- /tls/docker/key.pem --\nolder\n", false},
		"key_is_missing":  {inspect + stored + machine + copies, false},
		"skip_tls_verify": {inspect + unverified + machine + copies + "-- /tls/docker/key.pem --\nkey\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := dockercli.New(hosttest.New(t, []byte(withDocker+tt.laptop)))
			got, err := c.ContextHolds(t.Context(), "", "dev", "/m")
			if err != nil || got != tt.want {
				t.Errorf("ContextHolds() = %t, %v, want %t", got, err, tt.want)
			}
		})
	}
}
