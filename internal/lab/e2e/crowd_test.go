//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	computer "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 3, line 5: many at once.

// crowd runs fix for each of the names at the same time, and wants all to succeed.
func (s *scene) crowd(names ...string) []lab.Result {
	s.Helper()
	results, errs := make([]lab.Result, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		ctx := s.ctx()
		wg.Go(func() { results[i], errs[i] = s.lab.Run(ctx, nil, "docker-vpn-helper", "fix", "--yes", name) })
	}
	wg.Wait()
	for i, r := range results {
		s.must(errs[i])
		if r.Exit != 0 {
			s.Errorf("fix %s: exit %d\n%s", names[i], r.Exit, r.Stderr)
		}
	}
	return results
}

// journals are those of a machine that list a change.
func (s *scene) journals(name string) int {
	s.Helper()
	dirs, err := filepath.Glob(filepath.Join(s.lab.Home(), ".local/state/docker-vpn-helper/stores/*/machines", name, "journal"))
	s.must(err)
	n := 0
	for _, dir := range dirs {
		all, err := journal.Read(s.Context(), computer.NewLocal(computer.Sudo{}), dir, changes.Decode)
		s.must(err)
		n += len(all)
	}
	return n
}

// starts counts how often a boot2docker host's dockerd was started.
func (h *host) starts() (int, error) {
	data, err := os.ReadFile(h.vm.DockerLog())
	return strings.Count(string(data), "------------------------\n"), err
}

func TestCrowdOnOneMachine(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	logins := s.logins()
	names := make([]string, 20)
	for i := range names {
		names[i] = "default"
	}
	waited := 0
	for _, r := range s.crowd(names...) {
		if strings.Contains(r.Stderr, "waiting for another docker-vpn-helper") {
			waited++
		}
	}
	if waited < len(names)/2 {
		s.Errorf("%d of %d say that they wait", waited, len(names))
	}
	s.same("NAT rules", []string{"docker-vpn-helper,tcp,127.0.0.1,2376,,2376"}, s.rules("default"))
	s.same("journals", 1, s.journals("default"))
	starts, err := s.starts()
	s.must(err)
	s.same("starts of dockerd", 2, starts)
	s.same("logins", 1, s.logins()-logins)
	s.same("docker info", "default\n", s.shell(`eval "$(docker-vpn-helper env default)"; docker info -f '{{.Name}}'`))
}

func TestCrowdOfMachines(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	hosts := map[string]*host{"default": s.host}
	names := []string{"default"}
	for i := 1; i < 10; i++ {
		name := fmt.Sprintf("m%d", i)
		h := s.add(nsguest.Boot2docker, fakestore.Options{Name: name, Names: []string{fmt.Sprintf("192.168.99.%d", 100+i)}})
		s.start(h)
		hosts[name] = h
		names = append(names, name)
	}
	s.vpn(true)
	s.crowd(names...)
	ports := map[string]string{}
	for _, name := range names {
		rules := s.rules(name)
		if len(rules) != 1 {
			s.Errorf("NAT rules of %s: %v", name, rules)
		}
		who := strings.Fields(s.shell(fmt.Sprintf(`eval "$(docker-vpn-helper env %s)"; docker info -f '{{.Name}}'; echo "$DOCKER_HOST"`, name)))
		s.same("docker info", name, who[0])
		if other := ports[who[1]]; other != "" {
			s.Errorf("%s and %s have the same endpoint %s", name, other, who[1])
		}
		ports[who[1]] = name
		s.same("journals of "+name, 1, s.journals(name))
		starts, err := hosts[name].starts()
		s.must(err)
		s.same("starts of dockerd on "+name, 2, starts)
	}
}
