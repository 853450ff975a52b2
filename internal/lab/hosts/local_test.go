//go:build e2e && linux

package hosts

import (
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// situation is a docker host with one thing wrong.
type situation struct {
	name  string
	cause string
	make  func(*scene) (host string)
	hint  string // if not empty
	// docker is what docker itself makes of it.
	docker outcome
	// alike is why docker's message is that of other causes, too: explain then names the cause
	// beside them. Where it is empty, the message leads to the cause alone.
	alike string
	// plain has docker choose the docker host by itself.
	plain bool
}

// outcome is how a docker command ends.
type outcome int

const (
	fails outcome = iota // with a message
	works
	hangs // without a message, for as long as the test waits
)

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
			docker := s.docker(name)
			if tt.plain {
				docker = s.docker("local")
			}
			s.compare(tt, docker)
		})
	}
}

// hangTime is how long a docker that hangs is watched.
const hangTime = 8 * time.Second

// compare runs docker, and holds explain's answer to its message against doctor's cause.
func (s *scene) compare(tt situation, docker []string) {
	s.Helper()
	if tt.docker == hangs {
		if _, message, exit := s.runFor(hangTime, "", docker...); exit != killed || message != "" {
			s.Errorf("docker does not hang: exit status %d\n%s", exit, message)
		}
		return
	}
	_, message, exit := s.run("", docker...)
	// docker may lose what ssh prints, where ssh ends before docker's request is written.
	for tries := 0; strings.Contains(message, "write |1: broken pipe") && tries < 20; tries++ {
		if e := s.explained(message); e.ID != "docker.ssh-message-lost" {
			s.Errorf("explain leads to %s for\n%s", e.ID, message)
		}
		_, message, exit = s.run("", docker...)
	}
	if ended := map[bool]outcome{true: works, false: fails}[exit == 0]; ended != tt.docker {
		s.Errorf("docker ends with %d:\n%s", exit, message)
	}
	if tt.docker == works {
		return
	}
	e := s.explained(message)
	switch {
	case tt.alike == "" && e.Code != tt.cause:
		s.Errorf("explain leads to %q (%s), want %q, for\n%s", e.Code, e.ID, tt.cause, message)
	case e.Code != tt.cause && !slices.Contains(e.Also, tt.cause):
		s.Errorf("explain names %q and %q (%s), not %q, for\n%s", e.Code, e.Also, e.ID, tt.cause, message)
	}
}

// at is this computer's dockerd behind a socket.
func (s *scene) at(path string) string {
	s.env["DOCKER_HOST"] = "unix://" + path
	return "local"
}

const (
	noReason = "docker before 29 prints no reason where a socket cannot be connected to"
	greeted  = "what docker reads first depends on whether its request is sent by then"
)

func TestLocal(t *testing.T) {
	try(t, []situation{
		{name: "healthy", docker: works, make: func(s *scene) string {
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
		{name: "file", cause: "socket.not-a-socket", alike: noReason, make: func(s *scene) string {
			s.must(os.WriteFile(s.path("d.sock"), nil, 0o666))
			return s.at(s.path("d.sock"))
		}},
		{name: "directory", cause: "socket.not-a-socket", alike: noReason, make: func(s *scene) string {
			s.must(os.Mkdir(s.path("d.sock"), 0o755))
			return s.at(s.path("d.sock"))
		}},
		{name: "dockerd_was_killed", cause: "socket.refused", alike: noReason, make: func(s *scene) string {
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
		{name: "queue_full", cause: "socket.busy", alike: noReason, make: func(s *scene) string { return s.at(s.full("d.sock")) }},
		{name: "silent", cause: "daemon.hangs", docker: hangs, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, s.silent)
			return s.at(path)
		}},
		{name: "closes", cause: "daemon.unreachable", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, closing)
			return s.at(path)
		}},
		{name: "not_docker", cause: "daemon.not-docker", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, http.NotFound)
			return s.at(path)
		}},
		{name: "not_http", cause: "daemon.not-docker", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, answering("SSH-2.0-OpenSSH_9.2\r\n"))
			return s.at(path)
		}},
		{name: "not_docker_but_nginx", cause: "daemon.not-docker", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, answers(http.StatusNotFound, "text/html", "<html>\n<head><title>404 Not Found</title></head>\n<body>\n<center><h1>404 Not Found</h1></center>\n"))
			return s.at(path)
		}},
		{name: "greets_first", cause: "daemon.not-docker", alike: greeted, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, saying("SSH-2.0-OpenSSH_9.2\r\n"))
			return s.at(path)
		}},
		{name: "greets_without_a_line_end", cause: "daemon.not-docker", alike: greeted, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, saying("J\x00\x00\x00\x0a8.0.36\x00"))
			return s.at(path)
		}},
		{name: "greets_and_closes", cause: "daemon.not-docker", alike: greeted, make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.serve(ln, func(c net.Conn) { _, _ = io.WriteString(c, "421 Too many connections\r\n") })
			return s.at(path)
		}},
		{name: "plugin_refuses", cause: "daemon.refuses", make: func(s *scene) string {
			ln, path := s.unix("d.sock")
			s.web(ln, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Server", "Docker/28.2.2 (linux)")
				answers(http.StatusForbidden, "application/json", `{"message":"authorization denied by plugin opa-docker-authz: request rejected by administrative policy"}`)(w, r)
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
