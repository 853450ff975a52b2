//go:build e2e && linux

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// following is a program that prints lines until it is stopped.
type following struct {
	*scene
	cmd   *exec.Cmd
	lines chan string
	ended chan error
}

// portsFollow starts "ports follow" on a machine that works through the VPN.
func (s *scene) portsFollow(args ...string) *following {
	s.Helper()
	return s.launch(s.lab.Command(s.whole(), append([]string{"docker-vpn-helper", "ports", "follow", "default"}, args...)...))
}

// whole is a context that lasts as long as the test.
func (s *scene) whole() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	return ctx
}

// launch starts a program whose lines are read.
func (s *scene) launch(cmd *exec.Cmd) *following {
	s.Helper()
	f := &following{scene: s, cmd: cmd, lines: make(chan string, 10000), ended: make(chan error, 1)}
	out, err := cmd.StdoutPipe()
	s.must(err)
	var notes strings.Builder
	cmd.Stderr = &notes
	cmd.WaitDelay = 2 * time.Second
	s.must(cmd.Start())
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.lines <- lines.Text()
		}
		f.ended <- cmd.Wait()
		if s.Failed() {
			s.Log(notes.String())
		}
	}()
	return f
}

// await waits for a line that has the text.
func (f *following) await(text string) {
	f.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-f.lines:
			if strings.Contains(line, text) {
				return
			}
		case err := <-f.ended:
			f.Fatalf("%q ended before it printed %q: %v", f.cmd.Args, text, err)
		case <-timeout:
			f.Fatalf("no line with %q", text)
		}
	}
}

// stop is Ctrl-C.
func (f *following) stop() {
	f.Helper()
	f.must(f.cmd.Process.Signal(syscall.SIGINT))
	select {
	case err := <-f.ended:
		f.must(err)
	case <-time.After(patience):
		f.Fatalf("%q does not end", f.cmd.Args)
	}
}

// httpGet asks at an address of the laptop.
func (s *scene) httpGet(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.lab.Laptop().Dial(ctx, addr)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	r, err := client.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.ReadAll(r.Body)
	return err
}

// serve starts a container with published ports. Its ports 80 and 81 are HTTP and zeros without end.
func (s *scene) serve(name string, args ...string) {
	s.Helper()
	argv := slices.Concat([]string{"run", "-d", "--stop-signal=KILL", "--name", name}, args,
		[]string{"busybox", "sh", "-c", "nc -ll -p 81 -e cat /dev/zero & exec httpd -f -p 80 -h /tmp"})
	_, err := s.vm.Docker(s.ctx(), argv...)
	s.must(err)
}

func (s *scene) answers(addr string) {
	s.Helper()
	s.must(await.Until(s.ctx(), addr+" to answer", func() (bool, error) { return s.httpGet(addr) == nil, nil }))
}

// streaming has begun to read zeros. Its error is how they end.
func (s *scene) streaming(addr string, n int) <-chan error {
	s.Helper()
	ends := make(chan error, n)
	for range n {
		conn, err := s.lab.Laptop().Dial(s.ctx(), addr)
		s.must(err)
		_, err = io.ReadFull(conn, make([]byte, 1<<20))
		s.must(err)
		go func() {
			defer conn.Close()
			_, err := io.Copy(io.Discard, conn)
			ends <- err
		}()
	}
	return ends
}

func (s *scene) allReset(ends <-chan error, n int) {
	s.Helper()
	for range n {
		select {
		case err := <-ends:
			if !errors.Is(err, syscall.ECONNRESET) {
				s.Errorf("a stream that was cut off ended with %v, want a reset", err)
			}
		case <-time.After(patience):
			s.Fatal("a stream that was cut off goes on")
		}
	}
}

func publishing(t *testing.T) *scene {
	s := on(t, nsguest.Boot2docker, fakestore.Options{})
	s.must(s.vm.ImportBusybox(s.ctx()))
	s.fix("default")
	s.vpn(true)
	return s
}

func TestPublishedPorts(t *testing.T) {
	s := publishing(t)
	s.serve("web", "-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80")
	f := s.portsFollow()
	f.await("+ 8080/tcp web localhost:8080")
	for _, addr := range []string{"127.0.0.1:8080", "[::1]:8080", "127.0.0.1:8081", "127.0.0.1:8082"} {
		s.answers(addr)
	}
	s.serve("late", "-p", "8090:80", "-p", "81")
	f.await("+ 8090/tcp late localhost:8090")
	s.answers("127.0.0.1:8090")
	_, err := s.vm.Docker(s.ctx(), "rm", "-f", "late")
	s.must(err)
	f.await("- 8090/tcp late")

	r := s.helper("ports", "follow", "default")
	s.same("exit of a second run", 1, r.Exit)
	f.stop()
	for _, addr := range []string{"127.0.0.1:8080", "[::1]:8080"} {
		if err := s.httpGet(addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s after the end: %v", addr, err)
		}
	}
	s.same("logins", 1, s.logins())
}

// What cuts the SSH connection must not look like the end of data; and everything works
// again afterwards.
func TestPublishedPortsWhenTheConnectionIsLost(t *testing.T) {
	s := publishing(t)
	s.serve("web", "--restart=always", "-p", "8080:80", "-p", "8081:81")
	f := s.portsFollow()
	f.await("+ 8081/tcp web")
	const n = 5
	ends := s.streaming("127.0.0.1:8081", n)
	s.must(s.vm.EndSSHSessions(s.ctx()))
	s.allReset(ends, n)
	s.answers("127.0.0.1:8080")

	ends = s.streaming("127.0.0.1:8081", n)
	s.must(s.vm.CutSSH(s.ctx(), nsguest.Reset))
	s.allReset(ends, n)
	s.answers("127.0.0.1:8080")

	s.must(s.vm.KillSSHD(s.ctx()))
	s.must(s.vm.EndSSHSessions(s.ctx()))
	if err := s.httpGet("127.0.0.1:8080"); err == nil {
		t.Error("an answer without sshd")
	}
	s.must(s.vm.StartSSHD(s.ctx()))
	s.answers("127.0.0.1:8080")

	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.answers("127.0.0.1:8080")

	ends = s.streaming("127.0.0.1:8081", n)
	s.vbox("controlvm", "default", "poweroff")
	s.allReset(ends, n)
	if err := s.httpGet("127.0.0.1:8080"); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("while the docker host is away the port is to stay reserved: %v", err)
	}
	s.awaitState("poweroff")
	s.start(s.host)
	s.answers("127.0.0.1:8080")
	f.stop()
}

// How long a new container's port takes: issue 16, "Must hold" 1.
func TestPublishedPortsAreQuick(t *testing.T) {
	s := publishing(t)
	f := s.portsFollow()
	go func() {
		for range f.lines {
		}
	}()
	var added, removed []time.Duration
	for i := range 20 {
		name, addr := fmt.Sprintf("c%d", i), fmt.Sprintf("127.0.0.1:%d", 9000+i)
		s.serve(name, "-p", fmt.Sprintf("%d:80", 9000+i))
		start := time.Now()
		for s.httpGet(addr) != nil {
			if time.Since(start) > patience {
				s.Fatalf("%s does not answer", addr)
			}
		}
		added = append(added, time.Since(start))
		_, err := s.vm.Docker(s.ctx(), "rm", "-f", name)
		s.must(err)
		start = time.Now()
		for !errors.Is(s.httpGet(addr), syscall.ECONNREFUSED) {
			if time.Since(start) > patience {
				s.Fatalf("%s still answers", addr)
			}
		}
		removed = append(removed, time.Since(start))
	}
	slices.Sort(added)
	slices.Sort(removed)
	t.Logf("docker run returned → first answer: p50 %v, max %v; removed → refused: p50 %v, max %v", added[10], added[19], removed[10], removed[19])
	f.stop()
}
