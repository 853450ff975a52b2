//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// sh runs a script on the laptop.
func (s *scene) sh(script string) lab.Result {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), nil, "sh", "-c", script)
	s.must(err)
	return r
}

// Issue 5, line 5.
func TestContext(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.vpn(true)
	s.same("before the repair", 1, s.helper("context", "default").Exit)
	s.same("contexts", "default*\n", s.contexts())
	s.fix("default")
	want := s.sh(`eval "$(docker-vpn-helper env default)"; docker info --format '{{.ID}} {{.Name}}'`)
	got := s.sh(`docker --context "$(docker-vpn-helper context default)" info --format '{{.ID}} {{.Name}}'`)
	s.same("who answers", want.Stdout, got.Stdout)
	if strings.TrimSpace(got.Stdout) == "" {
		t.Fatalf("nobody answers: %s", got.Stderr)
	}

	again := s.helper("--json", "context", "default")
	var r struct{ Applied []string }
	s.decode(again.Stdout, &r)
	s.same("changes of a second run", 0, len(r.Applied))
	s.same("exit", 0, s.helper("context", "default", "--use").Exit)
	s.same("contexts", "default\nmachine-default*\n", s.contexts())

	const elsewhere = "tcp://192.0.2.1:2376"
	s.same("exit", 0, s.sh("docker context update machine-default --docker host="+elsewhere).Exit)
	refused := s.helper("context", "default")
	s.same("exit", 3, refused.Exit)
	s.same("stdout", "", refused.Stdout)
	s.same("its endpoint", elsewhere+"\n", s.endpoint())
	s.same("exit", 0, s.helper("context", "default", "--force").Exit)
	s.same("its endpoint", "tcp://localhost:2376\n", s.endpoint())

	s.same("exit", 0, s.helper("undo", "default").Exit)
	s.same("its endpoint", elsewhere+"\n", s.endpoint())
	s.same("exit", 0, s.helper("undo", "default").Exit)
	s.same("contexts", "default*\nmachine-default\n", s.contexts())
	s.same("exit", 0, s.sh("docker context update machine-default --docker host=tcp://localhost:2376").Exit)
	s.same("exit", 0, s.helper("undo", "--all").Exit)
	s.same("contexts", "default*\n", s.contexts())
	for path := range s.tree(s.lab.Home()) {
		if strings.Contains(path, "/contexts/") && strings.HasSuffix(path, ".tar") {
			t.Errorf("%s is left, with a private key in it", path)
		}
	}
}

func (s *scene) contexts() string {
	s.Helper()
	return s.sh(`docker context ls --format '{{.Name}}{{if .Current}}*{{end}}'`).Stdout
}

func (s *scene) endpoint() string {
	s.Helper()
	return s.sh(`docker context inspect machine-default --format '{{.Endpoints.docker.Host}}'`).Stdout
}

// strict is what requests and docker-compose 1 do: Python's own idea of a
// certificate that is good for a host, whichever name of it is dialled.
const strict = `
import http.client, os, ssl, urllib.parse
dir = os.environ["DOCKER_CERT_PATH"]
port = urllib.parse.urlsplit(os.environ["DOCKER_HOST"]).port
context = ssl.create_default_context(cafile=dir + "/ca.pem")
context.load_cert_chain(dir + "/cert.pem", dir + "/key.pem")
assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
for host in "localhost", "127.0.0.1":
    c = http.client.HTTPSConnection(host, port, context=context, timeout=10)
    c.request("GET", "/_ping")
    print(host, c.getresponse().read().decode())
`

func TestPythonClient(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.vpn(true)
	s.fix("default")
	r := s.sh("eval \"$(docker-vpn-helper env default)\"\nexec python3 - <<'EOF'\n" + strict + "EOF\n")
	s.same("answers", "localhost OK\n127.0.0.1 OK\n", r.Stdout)
	if r.Exit != 0 {
		t.Error(r.Stderr)
	}
}

// cert show tells the three places apart; cert renew changes all of them, and no
// more than that.
func TestCert(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.fix("default")
	type report struct {
		Served, Disk, Store struct {
			Fingerprint string `json:"fingerprint_sha256"`
		}
	}
	show := func() report {
		var r report
		s.decode(s.helper("--json", "cert", "show", "default").Stdout, &r)
		return r
	}
	before := show()
	s.same("places", before.Served, before.Disk)
	s.same("places", before.Served, before.Store)
	rules, logins := s.rules("default"), s.logins()
	r := s.helper("cert", "renew", "default", "--yes")
	if r.Exit != 0 {
		t.Fatalf("cert renew: exit %d\n%s", r.Exit, r.Stderr)
	}
	s.same("stdout", "", r.Stdout)
	s.same("logins", logins+1, s.logins())
	s.same("NAT rules", rules, s.rules("default"))
	after := show()
	s.same("places", after.Served, after.Disk)
	s.same("places", after.Served, after.Store)
	if after == before {
		t.Error("the certificate is the same as before")
	}
	s.same("exit", 0, s.helper("undo", "default").Exit)
	s.same("after undo", before, show())
}
