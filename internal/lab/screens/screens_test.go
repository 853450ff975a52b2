//go:build e2e

// Package screens keeps what people see: the program's commands on real terminals of three
// widths, with and without colors. `go test -tags e2e ./internal/lab/screens -update`
// writes the golden files anew; look at them before you commit them.
package screens

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMain turns this binary into every program of the simulated laptop.
func TestMain(m *testing.M) {
	if code, ok := embedded.Dispatch(); ok {
		os.Exit(code)
	}
	if filepath.Base(os.Args[0]) == "docker-vpn-helper" {
		os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Getenv: os.Getenv, Signals: host.Signals, Laptop: embedded.Laptop, Version: "test", Now: time.Now}))
	}
	os.Exit(m.Run())
}

// commands are what is typed, on a laptop whose VPN has taken the route.
var commands = []string{
	"docker-vpn-helper doctor default",
	"docker-vpn-helper fix --dry-run default",
	"docker-vpn-helper fix --yes --shell sh default",
	"docker-vpn-helper doctor default",
	"docker-vpn-helper ls",
	"docker-vpn-helper cert show default",
	"docker-vpn-helper explain route.hijacked",
	`echo "dial tcp 192.168.99.100:2376: i/o timeout" | docker-vpn-helper explain -`,
	"echo something else | docker-vpn-helper explain -",
	"docker-vpn-helper doctr",
	"docker-vpn-helper doctor defualt",
	"docker-vpn-helper fix defualt", // never offers to create: a machine has a similar name
	"docker-vpn-helper fix --port abc default",
	"docker-vpn-helper undo --list default",
	"docker-vpn-helper undo --yes default",
	"docker-vpn-helper undo default",
	"docker-vpn-helper --help",
}

func TestScreens(t *testing.T) {
	for _, columns := range []int{40, 80, 200} {
		for name, environment := range map[string]string{"color": "", "plain": "NO_COLOR=1"} {
			t.Run(fmt.Sprintf("%d-%s", columns, name), func(t *testing.T) {
				compare(t, fmt.Sprintf("%d-%s", columns, name), show(t, columns, environment))
			})
		}
	}
}

// show runs the commands on a terminal and returns what stands there at the end.
func show(t *testing.T, columns int, environment string) string {
	// Of a fixed name, because the width of the home directory's name is seen.
	l := newLaptop(t, fmt.Sprintf("/tmp/dvh-screens-%d", columns))
	l.machine(t, "192.168.99.100") // as docker-machine before 0.5 made it
	if err := fakedockerhost.AddContainer(l.GuestDir("default"), "web", "always"); err != nil {
		t.Fatal(err)
	}
	if err := l.Lab.Laptop(func(s *fakelaptop.State) { s.VPNOn() }); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, c := range commands {
		script.WriteString(typed(c))
	}
	return steady(l.run(t, columns, environment, script.String()))
}

// typed are lines of a script that show a command behind a prompt and run it.
func typed(command string) string {
	return fmt.Sprintf("cat <<'PROMPT'\n\n$ %s\nPROMPT\n%s\n", command, command)
}

// laptop is a simulated one, in a directory that the test removes.
type laptop struct {
	*embedded.Lab
	dir string
}

func newLaptop(t *testing.T, dir string) laptop {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	if err := embedded.Link(bin, exe, "docker-vpn-helper"); err != nil {
		t.Fatal(err)
	}
	lab, err := embedded.New(embedded.Options{OS: host.Darwin, Home: filepath.Join(dir, "home"), Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return laptop{lab, dir}
}

// machine makes the machine default, with a certificate for names, and starts it.
func (l laptop) machine(t *testing.T, names ...string) {
	t.Helper()
	if _, err := l.Add(embedded.MachineOptions{Options: fakestore.Options{Names: names}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Start("default"); err != nil {
		t.Fatal(err)
	}
}

// run runs a script on a terminal and returns what stands there at its end.
func (l laptop) run(t *testing.T, columns int, environment, script string) string {
	t.Helper()
	file := filepath.Join(l.dir, "script")
	if err := os.WriteFile(file, []byte(script+"echo END; sleep 60\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(l.Env(), "PATH="+l.Bin+":/usr/bin:/bin", "SHELL=/bin/sh", "LC_ALL=C.UTF-8", "DOCKER_HOST=", "DOCKER_MACHINE_NAME=")
	if environment != "" {
		env = append(env, environment)
	}
	return onTerminal(t, filepath.Join(l.dir, "tmux"), columns, env, file)
}

// onTerminal runs a script in tmux until it prints END.
func onTerminal(t *testing.T, socket string, columns int, env []string, script string) string {
	tmux := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-u", "-f", "/dev/null", "-S", socket}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	tmux("new-session", "-d", "-x", fmt.Sprint(columns), "-y", "1000", strings.Join(append([]string{"exec env"}, quoted(env)...), " ")+" /bin/sh "+script)
	t.Cleanup(func() { tmux("kill-server") })
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(tmux("capture-pane", "-p"), "\nEND"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no end:\n%s", tmux("capture-pane", "-p"))
		}
	}
	return tmux("capture-pane", "-p", "-e")
}

func quoted(words []string) (out []string) {
	for _, w := range words {
		out = append(out, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return out
}

// steady replaces what differs from run to run by something of the same width.
func steady(screen string) string {
	screen = strings.TrimRight(screen, "\n") + "\n"
	for _, r := range []struct{ pattern, with string }{
		{`[0-9a-f]{12,}`, "HEX"},
		{`(?m)^( +)[0-9a-f]{2,}$`, "${1}HEX"},
		{`\b127\.0\.0\.1:[0-9]{5}\b`, "127.0.0.1:54321"},
		{`\blocalhost:23[0-9]{2}\b`, "localhost:2376"},
		{`\b127\.0\.0\.1:23[0-9]{2}\b`, "127.0.0.1:2376"},
		{`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b`, "2026-01-31"},
		{`\b20[0-9]{6}T[0-9.]+Z?\S*`, "20260131T120000"},
	} {
		screen = regexp.MustCompile(r.pattern).ReplaceAllString(screen, r.with)
	}
	return screen
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
