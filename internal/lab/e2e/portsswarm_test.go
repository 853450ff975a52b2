//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"
)

// docker's list has no ports of swarm's ingress network. A service that has some is named, and
// nothing listens for it; one that publishes at its node has ports as any container.
func TestPublishedPortsOfASwarm(t *testing.T) {
	s := publishing(t)
	docker := func(argv ...string) {
		s.Helper()
		_, err := s.vm.Docker(s.ctx(), argv...)
		s.must(err)
	}
	service := func(name string, argv ...string) {
		s.Helper()
		docker(append(append([]string{"service", "create", "-q", "--no-resolve-image", "--name", name}, argv...), "busybox", "httpd", "-f", "-p", "80")...)
	}
	docker("swarm", "init", "--advertise-addr", s.m.IP)
	f := s.portsFollow()
	service("quiet")
	service("front", "-p", "8080:80")
	f.await("swarm service front: docker does not list the ports of its ingress network here")
	service("own", "-p", "mode=host,published=8081,target=80")
	f.await("+ 8081/tcp own.1")
	s.answers("127.0.0.1:8081")
	s.same("listeners", "8081", s.listening("127.0.0.1"))
	list := s.helper("ports", "default").Stdout
	if !strings.Contains(list, "swarm service front") || strings.Contains(list, "quiet") {
		t.Errorf("ports prints:\n%s", list)
	}
}
