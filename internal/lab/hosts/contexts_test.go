//go:build e2e && linux

package hosts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// withFiles gives a context the TLS files of a directory.
func (s *scene) withFiles(name, dir string) {
	s.Helper()
	sum := sha256.Sum256([]byte(name))
	to := filepath.Join(s.home, ".docker", "contexts", "tls", hex.EncodeToString(sum[:]), "docker")
	s.must(os.MkdirAll(filepath.Dir(to), 0o755))
	s.must(os.Rename(dir, to))
}

const elsewhere = "docker reports what is wrong with the docker host that it uses"

func TestContexts(t *testing.T) {
	try(t, []situation{
		{name: "unix_healthy", docker: works, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			return s.context("orbstack", "unix://"+path, true)
		}},
		{name: "TLS_healthy", docker: works, make: func(s *scene) string {
			h := tcpHost{}.start(s)
			s.env = map[string]string{}
			s.withFiles("build", s.path("certs"))
			return s.context("build", h, true)
		}},
		{name: "ssh_healthy", docker: works, make: func(s *scene) string { return s.context("build", s.remote().host(), true) }},
		{name: "another_context_is_in_use", cause: "daemon.context-elsewhere", plain: true, alike: elsewhere, hint: "docker context use build", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			h := s.context("build", "unix://"+path, true)
			s.context("other", "unix:///nonexistent.sock", true)
			return h
		}},
		{name: "DOCKER_HOST_outranks_it", cause: "daemon.context-elsewhere", plain: true, alike: elsewhere, hint: "unset DOCKER_HOST", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			s.env["DOCKER_HOST"] = "unix:///nonexistent.sock"
			return s.context("build", "unix://"+path, true)
		}},
		{name: "certificates_missing", cause: "tls.expected", make: func(s *scene) string {
			h := tcpHost{}.start(s)
			s.env = map[string]string{}
			return s.context("build", h, true)
		}},
		{name: "plain", cause: "tls.plain-text", docker: works, make: func(s *scene) string {
			h := tcpHost{plain: true}.start(s)
			s.env = map[string]string{}
			return s.context("build", h, true)
		}},
		{name: "plain_through_a_proxy", cause: "tls.plain-text", docker: works, make: func(s *scene) string {
			s.env["HTTP_PROXY"] = s.forwards(dockerd("1.48"))
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "proxy_refuses_plain", cause: "daemon.proxy-refuses", alike: "docker prints the page that the proxy answers with", make: func(s *scene) string {
			s.env["http_proxy"] = s.forwards(answers(http.StatusForbidden, "text/html", "<html><body>Access denied by policy</body></html>"))
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "proxy_does_not_reach_plain", cause: "daemon.proxy-refuses", alike: "docker prints the page that the proxy answers with", make: func(s *scene) string {
			s.env["HTTP_PROXY"] = s.forwards(answers(http.StatusServiceUnavailable, "text/html", "<html><body>Cannot connect to build.invalid</body></html>"))
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "proxy_is_gone_plain", cause: "daemon.proxy-refuses", alike: "docker names the docker host, not the proxy", make: func(s *scene) string {
			s.env["HTTP_PROXY"] = "http://127.0.0.1:" + s.freePort()
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "proxy_is_silent_plain", cause: "daemon.proxy-refuses", docker: hangs, make: func(s *scene) string {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			s.must(err)
			s.serve(ln, s.silent)
			s.env["HTTP_PROXY"] = "http://" + ln.Addr().String()
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "not_docker_through_a_proxy", cause: "daemon.not-docker", make: func(s *scene) string {
			s.env["HTTP_PROXY"] = s.forwards(http.NotFound)
			return s.context("build", "tcp://build.invalid:2375", true)
		}},
		{name: "plain_greets_first", cause: "daemon.not-docker", alike: greeted, make: func(s *scene) string {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			s.must(err)
			s.serve(ln, saying("SSH-2.0-OpenSSH_9.2\r\n"))
			return s.context("build", "tcp://"+ln.Addr().String(), true)
		}},
		{name: "colima_was_deleted", cause: "socket.missing", make: func(s *scene) string {
			return s.context("colima", "unix://"+s.home+"/.colima/default/docker.sock", true)
		}},
	})
}

// context makes a docker context, in use or not, as docker context create does, and returns
// it as HOST.
func (s *scene) context(name, endpoint string, use bool) string {
	s.Helper()
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(s.home, ".docker", "contexts", "meta", hex.EncodeToString(sum[:]))
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.WriteFile(filepath.Join(dir, "meta.json"), fmt.Appendf(nil, `{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":false}}}`, name, endpoint), 0o644))
	if use {
		s.must(os.WriteFile(filepath.Join(s.home, ".docker", "config.json"), fmt.Appendf(nil, `{"currentContext":%q}`, name), 0o644))
	}
	return "context:" + name
}
