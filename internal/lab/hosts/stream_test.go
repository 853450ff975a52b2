//go:build e2e && linux

package hosts

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

// login logs in by a ControlMaster, and opens streams to the socket d.sock.
func (d *sshd) login(many int) (*userssh.Conn, []relay.Stream) {
	d.Helper()
	d.Setenv("PATH", d.path("bin")+":"+os.Getenv("PATH"))
	c, err := userssh.Dial(d.Context(), host.NewLocal(host.Sudo{}), userssh.Destination{User: account(), Host: "127.0.0.1", Port: d.port})
	d.must(err)
	d.Cleanup(c.Close)
	var streams []relay.Stream
	for range many {
		s, err := c.Open(d.Context(), "unix", d.path("d.sock"))
		d.must(err)
		streams = append(streams, s)
	}
	return c, streams
}

// end sends a signal to the processes of the login that match.
func (d *sshd) end(signal syscall.Signal, match func(pid int) bool) {
	d.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	d.must(err)
	found := false
	for _, dir := range all {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && match(pid) {
			found = true
			d.must(syscall.Kill(pid, signal))
		}
	}
	if !found {
		d.Fatal("no such process")
	}
}

// isMaster reports whether a process is the scene's ControlMaster.
func (d *sshd) isMaster(pid int) bool {
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Contains(string(args), d.path("ssh_config")) && strings.Contains(string(args), "ControlMaster=yes")
}

// isSession reports whether a process serves a login: a child of the scene's sshd.
func (d *sshd) isSession(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", d.cmd.Process.Pid))
}

// Each direction of a stream over a ControlMaster ends by itself, and its end is no failure,
// also where the docker host lets no commands run.
func TestStreamEnds(t *testing.T) {
	for _, config := range []string{"MaxSessions 10", "MaxSessions 0"} {
		t.Run(config, func(t *testing.T) {
			s := newScene(t)
			ln, _ := s.unix("d.sock")
			s.serve(ln, func(c net.Conn) {
				question, _ := io.ReadAll(c)
				time.Sleep(100 * time.Millisecond)
				_, _ = c.Write(append(question, " answered"...))
			})
			c, streams := s.sshd(config).login(5)
			for _, stream := range streams {
				_, err := io.WriteString(stream, "question")
				s.must(err)
				s.must(stream.CloseWrite())
				if got, err := io.ReadAll(stream); err != nil || string(got) != "question answered" {
					t.Errorf("got %q, %v", got, err)
				}
				_ = stream.Close()
			}
			s.must(c.CheckAlive(t.Context()))
		})
	}
}

// The end of the login cuts every stream off, which must not look like the end of data.
func TestLoginEnds(t *testing.T) {
	for _, end := range []struct {
		name string
		do   func(d *sshd)
	}{
		{"master_killed", func(d *sshd) { d.end(syscall.SIGKILL, d.isMaster) }},
		{"master_terminated", func(d *sshd) { d.end(syscall.SIGTERM, d.isMaster) }},
		{"session_killed", func(d *sshd) { d.end(syscall.SIGKILL, d.isSession) }},
		{"session_terminated", func(d *sshd) { d.end(syscall.SIGTERM, d.isSession) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := newScene(t)
			ln, _ := s.unix("d.sock")
			s.serve(ln, func(c net.Conn) {
				_, _ = io.WriteString(c, "half an ")
				s.silent(c)
			})
			d := s.sshd()
			_, streams := d.login(40)
			ended := make(chan error, len(streams))
			for _, stream := range streams {
				_, err := io.ReadFull(stream, make([]byte, 8))
				s.must(err)
				go func() {
					_, err := stream.Read(make([]byte, 1))
					ended <- err
				}()
			}
			end.do(d)
			for range streams {
				select {
				case err := <-ended:
					if !errors.Is(err, sshhost.ErrCutOff) {
						t.Errorf("a stream ends with %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("a stream does not end")
				}
			}
		})
	}
}
