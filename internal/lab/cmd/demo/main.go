// Command demo shows docker-vpn-helper at work, as an ordinary user and without
// VirtualBox: the laptop, its VPN, VirtualBox and the docker host are this very
// program under other names (see package embedded). Everything happens in a
// temporary directory and on 127.0.0.1, and is gone afterwards, also after Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fatih/color"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

func main() {
	if code, ok := embedded.Dispatch(); ok {
		os.Exit(code)
	}
	if filepath.Base(os.Args[0]) == "docker-vpn-helper" {
		os.Exit(program())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx)
	stop()
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "\nInterrupted. Everything is cleaned up.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(1)
	}
}

var errInterrupted = errors.New("interrupted")

// program is docker-vpn-helper itself, on the demo's laptop.
func program() int {
	return cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Signals: host.Signals, Laptop: embedded.Laptop, Version: "demo", Now: time.Now})
}

type demo struct {
	ctx   context.Context
	world *embedded.Lab
	env   []string
}

func run(ctx context.Context) (err error) {
	tmp, err := os.MkdirTemp("", "docker-vpn-helper-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(tmp, "bin")
	if err := embedded.Link(bin, exe, "docker-vpn-helper"); err != nil {
		return fmt.Errorf("making the demo's programs: %w", err)
	}
	w, err := embedded.New(embedded.Options{OS: host.Darwin, Home: filepath.Join(tmp, "home"), Bin: bin})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	d := &demo{ctx: ctx, world: w, env: environ(w, bin)}
	if err := d.machine(); err != nil {
		return err
	}
	return d.show()
}

// environ is the caller's environment without what points docker anywhere.
func environ(w *embedded.Lab, bin string) []string {
	env := []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "SHELL=/bin/sh"}
	for _, name := range []string{"TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, w.Env()...)
}

// machine makes a machine as docker-machine before 0.5 did: its certificate names
// the address alone.
func (d *demo) machine() error {
	_, err := d.world.Add(embedded.MachineOptions{Options: fakestore.Options{Names: []string{"192.168.99.100"}}})
	if err != nil {
		return err
	}
	if err := d.world.Start("default"); err != nil {
		return err
	}
	return fakedockerhost.AddContainer(d.world.GuestDir("default"), "web", "always")
}

const (
	env  = `export DOCKER_TLS_VERIFY=1 DOCKER_HOST=tcp://192.168.99.100:2376 DOCKER_CERT_PATH=$HOME/.docker/machine/machines/default`
	fix  = `eval "$(docker-vpn-helper fix --yes --shell sh default)"`
	eval = `eval "$(docker-vpn-helper env default)"`
)

// show is the story. Each step has to end as it should, so the demo is a test too.
func (d *demo) show() error {
	comment, command := color.New(color.Faint), color.New(color.FgCyan)
	fmt.Println("This is a laptop with a docker-machine VM, all of it simulated in a temporary\ndirectory: VirtualBox, the VPN, sudo and route as well. Nothing of yours is touched.")
	for _, s := range []struct {
		say, before, line string
		vpn               string
		exit              int
	}{
		{say: "docker reaches the VM by its host-only address.", before: env, line: "docker ps"},
		{say: "The VPN connects and takes the route: docker no longer reaches the VM.", vpn: "on", before: env, line: "docker ps", exit: 1},
		{say: "What is wrong?", line: "docker-vpn-helper doctor default", exit: 1},
		{say: "What would fix it?", line: "docker-vpn-helper fix --dry-run default", exit: 1},
		{say: "Fix it. Restarting dockerd restarts the container web.", line: `docker-vpn-helper fix --yes --shell sh default`},
		{say: "docker works again, with the VPN still on.", before: eval, line: "docker ps"},
		{say: "Check again.", before: eval, line: "docker-vpn-helper doctor default"},
		{say: "The VPN disconnects: docker still works.", vpn: "off", before: eval, line: "docker ps"},
		{say: "Undo the repair.", line: "docker-vpn-helper undo --yes default"},
		{say: "Repair it again, in one line.", line: fix + " && docker ps"},
	} {
		if s.vpn != "" {
			if err := d.vpn(s.vpn); err != nil {
				return err
			}
		}
		comment.Printf("\n# %s\n", s.say)
		if s.before == eval {
			command.Println("$ " + eval)
		}
		command.Println("$ " + s.line)
		if err := d.sh(s.before, s.line, s.exit); err != nil {
			return err
		}
	}
	fmt.Println("\nEverything above ran on 127.0.0.1 and is gone now. Try it on yours; this changes nothing:")
	command.Println("  make build && bin/docker-vpn-helper doctor")
	return nil
}

func (d *demo) vpn(state string) error {
	return d.world.Laptop(func(w *fakelaptop.State) {
		if state == "on" {
			w.VPNOn()
		} else {
			w.VPNOff()
		}
	})
}

// sh runs a line in a shell. Ctrl-C reaches it, and is waited for.
func (d *demo) sh(before, line string, want int) error {
	if before != "" {
		line = before + "\n" + line
	}
	cmd := exec.CommandContext(d.ctx, "/bin/sh", "-c", line)
	cmd.Env, cmd.Dir = d.env, d.world.Home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 60 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case d.ctx.Err() != nil:
		return errInterrupted
	case err != nil && !errors.As(err, &exit):
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("that ended with exit status %d, not with %d", got, want)
	}
	return nil
}
