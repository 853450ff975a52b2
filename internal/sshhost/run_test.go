package sshhost

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func TestCommands(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	hostile := []string{"printf", `%s|`, "", "a b", `it's`, `$HOME`, "`id`", `\`, "\n", "*", "ü", "-n", `"`}
	for name, tt := range map[string]struct {
		cmd  host.Cmd
		want string
		err  error
	}{
		"arguments_arrive_as_they_are": {host.Cmd{Argv: hostile}, strings.Join(hostile[2:], "|") + "|", nil},
		"stdin":                        {host.Cmd{Argv: []string{"cat"}, Stdin: []byte("secret\n")}, "secret\n", nil},
		"stdin_that_nobody_reads":      {host.Cmd{Argv: []string{"echo", "x"}, Stdin: bytes.Repeat([]byte("y"), 1<<20)}, "x\n", nil},
		"environment":                  {host.Cmd{Argv: []string{"sh", "-c", "echo $A"}, Env: []string{"A=b c"}}, "b c\n", nil},
		"fails":                        {host.Cmd{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}}, "out\n", &host.CmdError{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}, Exit: 3, Stdout: "out\n", Stderr: "err\n"}},
		"not_there":                    {host.Cmd{Argv: []string{"sh", "-c", "exit 127"}}, "", &host.CmdError{Argv: []string{"sh", "-c", "exit 127"}, Exit: 127}},
		"killed":                       {host.Cmd{Argv: []string{"sh", "-c", "kill -9 $PPID"}}, "", &host.CmdError{Argv: []string{"sh", "-c", "kill -9 $PPID"}, Exit: 137, Stderr: "killed by SIGKILL"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.Run(t.Context(), tt.cmd)
			if diff := cmp.Diff(tt.err, err); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.want, string(out.Stdout)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if n := s.logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

func TestRoot(t *testing.T) {
	run := func(t *testing.T, s *server, c *Client) []string {
		t.Helper()
		for range 2 {
			if _, err := c.Run(t.Context(), host.Cmd{Argv: []string{"echo", "a b"}, Root: true}); err != nil {
				t.Fatal(err)
			}
		}
		close(s.commands)
		var ran []string
		for cmd := range s.commands {
			ran = append(ran, cmd)
		}
		return ran
	}
	t.Run("ordinary_user_asks_once_who_it_is", func(t *testing.T) {
		s := newServer(t)
		s.fake(t, "id", "echo welcome; echo 1000")
		s.fake(t, "sudo", `[ "$1" = -n ] && shift && exec "$@"`)
		if diff := cmp.Diff([]string{"echo; id -u", "sudo -n echo 'a b'", "sudo -n echo 'a b'"}, run(t, s, dial(t, s.config()))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("user_root", func(t *testing.T) {
		s := newServer(t)
		cfg := s.config()
		cfg.User = "root"
		if diff := cmp.Diff([]string{"echo 'a b'", "echo 'a b'"}, run(t, s, dial(t, cfg))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("sudo_refuses", func(t *testing.T) {
		s := newServer(t)
		s.fake(t, "id", "echo 1000")
		s.fake(t, "sudo", `echo "sudo: a password is required" >&2; exit 1`)
		_, err := dial(t, s.config()).Run(t.Context(), host.Cmd{Argv: []string{"true"}, Root: true})
		if !errors.Is(err, host.ErrNoSudo) || !strings.Contains(err.Error(), "a password is required") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCommandHangs(t *testing.T) {
	s := newServer(t)
	c := dial(t, s.config())
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	out, err := c.Run(ctx, host.Cmd{Argv: []string{"sh", "-c", "echo begun; sleep 60"}})
	if diff := cmp.Diff(verdict{StageSession, Timeout, "SSH-2.0-OpenSSH_7.2"}, verdictOf(t, err)); diff != "" {
		t.Error(diff)
	}
	if string(out.Stdout) != "begun\n" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	// The connection outlives it.
	if _, err := c.Run(t.Context(), host.Cmd{Argv: []string{"true"}}); err != nil {
		t.Error(err)
	}
}

func TestConnectionDies(t *testing.T) {
	t.Run("cut_in_a_command", func(t *testing.T) {
		s := newServer(t)
		c := dial(t, s.config())
		raw := <-s.raw
		time.AfterFunc(100*time.Millisecond, func() { raw.Close() })
		_, err := c.Run(t.Context(), host.Cmd{Argv: []string{"sleep", "60"}})
		if got := verdictOf(t, err); got.Stage != StageSession || got.Cause != Closed {
			t.Errorf("%+v", got)
		}
		if _, err := c.Run(t.Context(), host.Cmd{Argv: []string{"true"}}); verdictOf(t, err).Stage != StageSession {
			t.Error(err)
		}
	})
	t.Run("silent_when_idle", func(t *testing.T) {
		s := newServer(t)
		cfg := s.config()
		cfg.keepAlive = 50 * time.Millisecond
		s.mute.Store(true)
		_, err := dial(t, cfg).Run(t.Context(), host.Cmd{Argv: []string{"sleep", "60"}})
		if got := verdictOf(t, err); got.Stage != StageSession || got.Cause != Timeout {
			t.Errorf("%+v: %v", got, err)
		}
	})
	t.Run("closed_by_us", func(t *testing.T) {
		c := dial(t, newServer(t).config())
		c.Close()
		c.Close()
		if _, err := c.Run(t.Context(), host.Cmd{Argv: []string{"true"}}); err == nil {
			t.Error("ran")
		}
	})
}
