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
	"slices"
	"testing"
)

// situation is a docker host with one thing wrong. docker's words for it lead explain to the
// same code, or to one of explains.
type situation struct {
	name     string
	cause    string
	make     func(*scene) (host string)
	explains []string // empty: cause; "-": docker works, or has no words for it
	hint     string   // if not empty
}

func try(t *testing.T, all []situation) {
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			name := tt.make(s)
			r := s.doctor(name)
			if r.Cause != tt.cause {
				t.Errorf("cause %q, want %q", r.Cause, tt.cause)
			}
			if tt.hint != "" && !slices.ContainsFunc(r.Layers, func(l layer) bool {
				return slices.ContainsFunc(l.Findings, func(f finding) bool { return f.Code == tt.cause && f.Hint == tt.hint })
			}) {
				t.Errorf("the hint is not %q", tt.hint)
			}
			if len(tt.explains) == 1 && tt.explains[0] == "-" {
				return
			}
			if len(tt.explains) == 0 {
				tt.explains = []string{tt.cause}
			}
			if code, text := s.explained(s.docker(name)...); !slices.Contains(tt.explains, code) {
				t.Errorf("explain leads to %q, want one of %q, for\n%s", code, tt.explains, text)
			}
		})
	}
}

// at is this computer's dockerd behind a socket.
func (s *scene) at(path string) string {
	s.env["DOCKER_HOST"] = "unix://" + path
	return "local"
}

func TestLocal(t *testing.T) {
	try(t, []situation{
		{name: "healthy", explains: []string{"-"}, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			return s.at(path)
		}},
		{name: "missing", cause: "socket.missing", make: func(s *scene) string { return s.at(s.path("d.sock")) }},
		{name: "directory_missing", cause: "socket.missing", make: func(s *scene) string { return s.at(s.path("run/d.sock")) }},
		{name: "colima_is_off", cause: "socket.missing", hint: "colima start work", make: func(s *scene) string {
			return s.context("colima-work", "unix://"+s.home+"/.colima/work/docker.sock", true)
		}},
		{name: "rancher_desktop_is_off", cause: "socket.missing", hint: "rdctl start", make: func(s *scene) string {
			return s.context("rancher-desktop", "unix://"+s.home+"/.rd/docker.sock", true)
		}},
		{name: "link_to_nothing", cause: "socket.missing", make: func(s *scene) string {
			s.must(os.Symlink(s.path("gone.sock"), s.path("d.sock")))
			return s.at(s.path("d.sock"))
		}},
		{name: "file", cause: "socket.not-a-socket", explains: []string{"socket.missing"}, make: func(s *scene) string {
			s.must(os.WriteFile(s.path("d.sock"), nil, 0o666))
			return s.at(s.path("d.sock"))
		}},
		{name: "directory", cause: "socket.not-a-socket", explains: []string{"socket.missing"}, make: func(s *scene) string {
			s.must(os.Mkdir(s.path("d.sock"), 0o755))
			return s.at(s.path("d.sock"))
		}},
		{name: "dockerd_was_killed", cause: "socket.refused", explains: []string{"socket.missing"}, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			ln.(*net.UnixListener).SetUnlinkOnClose(false)
			ln.Close()
			return s.at(path)
		}},
		{name: "socket_of_root_alone", cause: "socket.denied", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			s.must(os.Chmod(path, 0o660))
			s.as("nobody", 65534)
			return s.at(path)
		}},
		{name: "not_in_the_group", cause: "socket.denied", hint: "sudo usermod -aG daemon nobody", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			s.must(os.Chown(path, 0, 1))
			s.must(os.Chmod(path, 0o660))
			s.as("nobody", 65534)
			return s.at(path)
		}},
		{name: "session_older_than_the_group", cause: "socket.denied", hint: "newgrp nogroup", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.48"))
			s.must(os.Chown(path, 0, 65534))
			s.must(os.Chmod(path, 0o660))
			s.as("nobody", 1)
			return s.at(path)
		}},
		{name: "directory_of_another_user", cause: "socket.denied", make: func(s *scene) string {
			s.must(os.Mkdir(s.path("run"), 0o700))
			ln, path := s.unix("run/d.sock")
			s.web(ln, dockerd("1.48"))
			s.as("nobody", 65534)
			return s.at(path)
		}},
		{name: "queue_full", cause: "socket.busy", explains: []string{"socket.missing"}, make: func(s *scene) string { return s.at(s.full("d.sock")) }},
		{name: "silent", cause: "daemon.hangs", explains: []string{"-"}, make: func(s *scene) string { // docker waits for ever
			ln, path := s.unix("d.sock")
			s.serve(ln, s.silent)
			return s.at(path)
		}},
		{name: "closes", cause: "daemon.unreachable", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, closing)
			return s.at(path)
		}},
		{name: "not_docker", cause: "daemon.not-docker", explains: []string{"-"}, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, http.NotFound)
			return s.at(path)
		}},
		{name: "not_http", cause: "daemon.not-docker", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, answering("SSH-2.0-OpenSSH_9.2\r\n"))
			return s.at(path)
		}},
		{name: "dockerd_complains", cause: "daemon.unreachable", explains: []string{"-"}, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Server", "Docker/28.2.2 (linux)")
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprint(w, `{"message":"plugin authz failed"}`)
			})
			return s.at(path)
		}},
		{name: "client_too_old", cause: "daemon.client-too-old", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, dockerd("1.52"))
			s.env["DOCKER_API_VERSION"] = "1.30"
			return s.at(path)
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
