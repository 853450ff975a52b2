//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// natRules are the NAT rules of a machine, sorted.
func (s *scene) natRules() string {
	s.Helper()
	rules := s.rules("default")
	slices.Sort(rules)
	return strings.Join(rules, "\n")
}

// listening are the laptop's TCP ports from 7000 on that listen at an address.
func (s *scene) listening(addr string) string {
	s.Helper()
	return strings.TrimSpace(s.sh(`ss -Hltn | awk '{ print $4 }' | grep -F '` + addr + `:' | sed 's/.*://' | awk '$1 >= 7000 && $1 < 10000' | sort -n | tr '\n' ' '`).Stdout)
}

// Issue 16, "Must hold" 6: ports follow is killed at random instants. The next follow, ports off
// or undo leaves exactly the right listeners and rules.
func TestSoakPortsKilled(t *testing.T) {
	s := publishing(t)
	chance := seeded(t)
	const other, own = "other,udp,127.0.0.1,5353,,5353", "docker-vpn-helper-8053-udp,udp,127.0.0.1,8053,,8053"
	s.vbox("controlvm", "default", "natpf1", other)
	s.serve("web", "-p", "8080:80")
	s.serve("dns", "-p", "8053:53/udp")
	base := s.natRules()
	whole := func() *following {
		f := s.portsFollow()
		f.await("8080/tcp web localhost:8080")
		f.await("8053/udp dns localhost:8053")
		return f
	}
	began := time.Now()
	whole().stop()
	took := time.Since(began)
	s.same("rules after a whole run", base, s.natRules())

	for range max(runs(50), 5) {
		f := s.portsFollow()
		var busy sync.WaitGroup
		if chance.IntN(2) == 0 { // rules and listeners change just then
			busy.Go(func() {
				for _, argv := range [][]string{{"rm", "-f", "late"}, {"run", "-d", "--name", "late", "-p", "8090:80", "-p", "8054:54/udp", "busybox", "sleep", "1000"}, {"rm", "-f", "late"}} {
					_, _ = s.vm.Docker(s.ctx(), argv...) // there need not be one
				}
			})
		}
		time.Sleep(rand.N(took + took/5))
		s.must(f.cmd.Process.Kill())
		<-f.ended
		busy.Wait()
		if left := s.listening("127.0.0.1"); left != "" {
			t.Errorf("ports %s listen after the kill", left)
		}
		switch chance.IntN(3) {
		case 0:
			f := whole()
			s.same("listeners", "8080", s.listening("127.0.0.1"))
			s.same("rules of the next follow", strings.TrimPrefix(strings.Join(sorted(base, own), "\n"), "\n"), s.natRules())
			f.stop()
		case 1:
			r := s.helper("ports", "off", "default")
			s.same("exit of ports off: "+r.Stderr, 0, r.Exit)
		case 2:
			r := s.helper("undo", "default")
			s.same("exit of undo: "+r.Stderr, 0, r.Exit)
			s.same("rules after undo", other, s.natRules())
			s.fix("default")
		}
		s.same("rules", base, s.natRules())
		s.same("listeners afterwards", "", s.listening("127.0.0.1"))
	}
}

// sorted are the lines of a text and one more.
func sorted(text, line string) []string {
	all := append(strings.Split(text, "\n"), line)
	slices.Sort(all)
	return all
}

// churn is a docker host to which something happens all the time.
type churn struct {
	*scene
	chance *rand.Rand
	vpnOn  bool
	count  map[string]int
	last   atomic.Value // what happened last
}

// step is one thing that happens. The docker host is back when it returns.
func (c *churn) step() {
	c.Helper()
	name, port := "", 9000+c.chance.IntN(40)
	container := fmt.Sprintf("c%d", port)
	switch n := c.chance.IntN(100); {
	case n < 45:
		name = "container"
		_, _ = c.vm.Docker(c.ctx(), "rm", "-f", container) // there need not be one
		c.serve(container, "-p", fmt.Sprintf("%d:80", port), "-p", "80")
	case n < 70:
		name = "removed"
		_, _ = c.vm.Docker(c.ctx(), "rm", "-f", container)
	case n < 78:
		name, c.vpnOn = "VPN", !c.vpnOn
		c.vpn(c.vpnOn)
	case n < 86:
		name = "SSH sessions end"
		c.must(c.vm.EndSSHSessions(c.ctx()))
	case n < 92:
		name = "sshd killed"
		c.must(c.vm.KillSSHD(c.ctx()))
		c.must(c.vm.EndSSHSessions(c.ctx()))
		time.Sleep(time.Duration(c.chance.IntN(2000)) * time.Millisecond)
		c.must(c.vm.StartSSHD(c.ctx()))
	case n < 97:
		name = "dockerd restarts"
		c.must(c.vm.Service(c.ctx(), "restart"))
		c.must(c.vm.AwaitDockerd(c.ctx()))
	default:
		name = "VM powered off"
		c.vbox("controlvm", "default", "poweroff")
		c.awaitState("poweroff")
		c.start(c.host)
	}
	c.count[name]++
	c.last.Store(name)
}

// published are the ports that docker lists, as listening prints them.
func (c *churn) published() string {
	c.Helper()
	out, err := c.vm.Docker(c.ctx(), "ps", "--format", "{{.Ports}}")
	c.must(err)
	var ports []int
	for field := range strings.FieldsSeq(strings.NewReplacer(",", " ", "\n", " ").Replace(out)) {
		at, _, found := strings.Cut(field, "->")
		if n, err := strconv.Atoi(at[strings.LastIndexByte(at, ':')+1:]); found && err == nil && n >= 7000 && n < 10000 {
			ports = append(ports, n)
		}
	}
	slices.Sort(ports)
	var text []string
	for _, n := range slices.Compact(ports) {
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, " ")
}

// settle waits until the laptop listens on the published ports and no others.
func (c *churn) settle() {
	c.Helper()
	c.must(await.Until(c.ctx(), "the listeners to be the published ports", func() (bool, error) {
		want, got := c.published(), c.listening("127.0.0.1")
		return want == got, fmt.Errorf("listening: %s\npublished: %s", got, want)
	}))
	c.same("listeners on ::1", c.listening("127.0.0.1"), c.listening("[::1]"))
	for port := range strings.FieldsSeq(c.published()) {
		c.answers("127.0.0.1:" + port)
	}
}

func descriptors(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}

// goroutines ends a program, and counts those that it had.
func (f *following) goroutines() int {
	f.Helper()
	f.must(f.cmd.Process.Signal(syscall.SIGQUIT))
	<-f.ended
	return strings.Count("\n"+fmt.Sprint(f.cmd.Stderr), "\ngoroutine ")
}

// Issue 16, "Must hold" 5: whatever happens, the forwards are the published ports afterwards, and
// no other program could have had the port of a container that goes on.
func TestSoakPortsChurn(t *testing.T) {
	c := &churn{scene: publishing(t), chance: seeded(t), vpnOn: true, count: map[string]int{}}
	c.serve("kept", "--restart=always", "-p", "7000:80")
	f := c.portsFollow()
	f.await("7000/tcp kept")
	go func() {
		for line := range f.lines {
			if strings.Contains(line, " 7000/tcp ") {
				t.Logf("after %v: %s", c.last.Load(), line)
			}
		}
	}()
	c.settle()
	before := descriptors(f.cmd.Process.Pid)

	lasts := time.Minute
	if soaking() {
		lasts = 15 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			conn, err := c.lab.Laptop().Dial(ctx, "127.0.0.1:7000")
			switch {
			case err == nil:
				_ = conn.Close()
			case errors.Is(err, syscall.ECONNREFUSED):
				t.Errorf("the port of the container that goes on was free, after: %v", c.last.Load())
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	for ctx.Err() == nil {
		c.step()
		time.Sleep(time.Duration(c.chance.IntN(300)) * time.Millisecond)
	}
	watching.Wait()
	t.Logf("what happened: %v; %d logins", c.count, c.logins())
	c.settle()

	out, err := c.vm.Docker(c.ctx(), "ps", "-aq", "--filter", "name=^c9")
	c.must(err)
	if ids := strings.Fields(out); len(ids) > 0 {
		_, err = c.vm.Docker(c.ctx(), append([]string{"rm", "-f"}, ids...)...)
		c.must(err)
	}
	c.settle()
	c.same("listeners", "7000", c.listening("127.0.0.1"))
	c.must(await.Until(c.ctx(), "the descriptors to be those of the start", func() (bool, error) {
		n := descriptors(f.cmd.Process.Pid)
		return n <= before, fmt.Errorf("%d, before %d", n, before)
	}))
	// The last connections of containers that have ended may go on for 30 s.
	time.Sleep(31 * time.Second)
	had := f.goroutines()
	fresh := c.portsFollow()
	fresh.await("7000/tcp kept")
	c.answers("127.0.0.1:7000")
	if now := fresh.goroutines(); had > now+10 {
		t.Errorf("%d goroutines, a run that has just begun has %d", had, now)
	} else {
		t.Logf("%d goroutines, a run that has just begun has %d", had, now)
	}

}
