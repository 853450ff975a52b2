//go:build e2e

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/terminal"
)

// on opens a terminal on which the demo runs, in a temporary directory of its own.
func on(t *testing.T, columns int, shell, args string) (s terminal.Terminal, tmp string) {
	t.Helper()
	tmp = t.TempDir()
	command := fmt.Sprintf("DVH_DEMO=1 LC_ALL=C.UTF-8 SHELL='%s' TMPDIR='%s' '%s' %s; echo STATUS $?; sleep 60", shell, tmp, os.Args[0], args)
	return terminal.Open(t, columns, command), tmp
}

// enter presses Enter at a pause, and waits until it is over.
func enter(s terminal.Terminal, next string) {
	s.Shows(pausing)
	if screen := s.Tmux("capture-pane", "-p"); strings.Contains(screen, next) {
		s.Fatalf("did not wait before %q:\n%s", next, screen)
	}
	s.Tmux("send-keys", "Enter")
	s.Shows(next)
}

// marks are the beginnings of the scenes' comments, short enough for a narrow terminal.
func marks() (out []string) {
	for _, s := range scenes {
		out = append(out, "# "+s.say[:12])
	}
	return out
}

// The story waits after each scene, and its own texts fit in the terminal.
func TestPauses(t *testing.T) {
	for _, columns := range []int{40, 80, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			s, tmp := on(t, columns, "/bin/sh", "")
			for _, next := range marks()[1:] {
				enter(s, next)
			}
			s.Shows("STATUS 0")
			// With -J tmux joins what did not fit in a line.
			for line := range strings.Lines(s.Tmux("capture-pane", "-p", "-J", "-S", "-")) {
				if strings.HasPrefix(line, "#") && len(strings.TrimRight(line, " \n")) > columns {
					t.Errorf("too wide: %s", line)
				}
			}
			nothingLeft(t, tmp)
		})
	}
}

// Ctrl-C at any pause ends the story, and leaves nothing behind.
func TestInterruptedPauses(t *testing.T) {
	for pause := 1; pause < len(scenes); pause += 3 {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			t.Parallel()
			s, tmp := on(t, 80, "/bin/sh", "")
			for _, next := range marks()[1:pause] {
				enter(s, next)
			}
			s.Shows(pausing)
			s.Tmux("send-keys", "C-c")
			s.Shows("STATUS 130")
			s.Shows("Interrupted. Everything is cleaned up.")
			nothingLeft(t, tmp)
		})
	}
}

// The shell is interactive: it has a prompt, survives Ctrl-C, and its end removes everything.
func TestShellOnATerminal(t *testing.T) {
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			s, tmp := on(t, 100, shell, "shell")
			typed := func(keys, shows string) {
				t.Helper()
				s.Tmux("send-keys", keys, "Enter")
				s.Shows(shows)
			}
			s.Shows("(demo)")
			typed("docker ps", "192.168.99.100:2376")
			typed("docker-vpn-helper doctor default", "docker is unreachable")
			if shell != "/bin/sh" {
				s.Tmux("send-keys", "docker-vpn-helper expl", "Tab")
				s.Shows("docker-vpn-helper explain")
			}
			s.Tmux("send-keys", "C-c")
			time.Sleep(2 * time.Second) // the terminal drops what is typed while the shell handles Ctrl-C
			typed(`eval "$(docker-vpn-helper fix default)"`, "[default] repaired")
			typed("docker ps", "Up 2 hours")
			typed("vpn off", "VPN disconnected.")
			typed("exit", "STATUS 0")
			nothingLeft(t, tmp)
		})
	}
}
