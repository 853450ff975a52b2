package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain turns this binary into the demo, and into every program of its laptop.
func TestMain(m *testing.M) {
	if code, ok := dispatch(); ok {
		os.Exit(code)
	}
	if os.Getenv("DVH_DEMO") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inPipe runs the demo without a terminal, and verifies that it leaves nothing behind.
func inPipe(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("DVH_DEMO", "1")
	t.Setenv("SHELL", "/bin/sh")
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("demo: %v\n%s", err, &out)
	}
	nothingLeft(t, os.Getenv("TMPDIR"))
	return out.String()
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// has finds texts in the order in which they are given.
func has(t *testing.T, out string, texts ...string) {
	t.Helper()
	rest := out
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("no %q where it is expected in:\n%s", text, out)
		}
		rest = after
	}
}

// In a pipe the story does not wait, and its usual case restarts nothing.
func TestStoryInAPipe(t *testing.T) {
	out := inPipe(t, "")
	if strings.Contains(out, "\x1b") || strings.Contains(out, pausing) {
		t.Errorf("written for a terminal:\n%s", out)
	}
	usual, rare, _ := strings.Cut(out, "# The rare case")
	has(t, usual, "docker is unreachable", "[default] repaired", "Up 2 hours", "docker works at", "Up 2 hours", "undone: fix")
	if strings.Contains(usual, "dockerd on default") {
		t.Errorf("the usual repair restarts something:\n%s", usual)
	}
	has(t, rare, "on old stops db", "[old] repaired", "Up 2 seconds", "make demo-shell", "doctor")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "#") && len(strings.TrimSpace(line)) > 80 {
			t.Errorf("too wide: %s", line)
		}
	}
}

func TestShellInAPipe(t *testing.T) {
	out := inPipe(t, `
docker-vpn-helper doctor default
eval "$(docker-vpn-helper fix default)"
docker ps
vpn off
vpn
vpn up
docker-vpn-helper undo default
false
`, "shell")
	has(t, out, "simulated laptop", "default  docker is unreachable", "[default] repaired", "web\n",
		"VPN disconnected.\nVPN disconnected.\n", "usage: vpn [on|off]", "undone: fix", "The simulated laptop is gone.")
}

// What is left in the background of the shell ends with it, before the laptop is removed.
func TestShellEndsItsPrograms(t *testing.T) {
	out := inPipe(t, `
eval "$(docker-vpn-helper fix default 2>/dev/null)"
docker-vpn-helper ports follow default >/dev/null 2>&1 &
echo "PID $!"
(for i in 1 2 3 4 5 6 7 8 9; do docker-vpn-helper doctor default; done) >/dev/null 2>&1 &
sleep 1
`, "shell")
	m := regexp.MustCompile(`PID (\d+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatal(out)
	}
	pid, _ := strconv.Atoi(m[1])
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		if state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); !strings.Contains(string(state), ") Z ") {
			t.Errorf("ports follow runs on: %v", err)
		}
	}
}
