// Command demo shows docker-vpn-helper at work, as an ordinary user and without
// VirtualBox: the laptop, its VPN, VirtualBox and the docker host are this very
// program under other names (see package embedded). Everything happens in a
// temporary directory and on 127.0.0.1, and is gone afterwards, also after Ctrl-C.
// `demo` tells a story, `demo shell` opens a shell on that laptop.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

func main() {
	if code, ok := dispatch(); ok {
		os.Exit(code)
	}
	show := (*demo).story
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "shell":
		show = (*demo).shell
	case len(args) > 0:
		fmt.Fprintln(os.Stderr, "usage: demo [shell]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, show)
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

// own are the programs of the demo's laptop besides those of package embedded.
var own = map[string]func() int{"docker-vpn-helper": program, "vpn": vpn}

// dispatch runs this process as one of the laptop's programs, if it was called as one.
func dispatch() (code int, ok bool) {
	register(os.Getenv(runningVariable))
	if code, ok := embedded.Dispatch(); ok {
		return code, true
	}
	if run := own[filepath.Base(os.Args[0])]; run != nil {
		return run(), true
	}
	return 0, false
}

// program is docker-vpn-helper itself, on the demo's laptop.
func program() int {
	return cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Signals: host.Signals, Laptop: embedded.Laptop, Version: "demo", Now: time.Now})
}

// remove removes the demo's directory, into which a program of the user's own, in the
// background, may still write.
func remove(dir string) (err error) {
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

type demo struct {
	ctx context.Context
	lab *embedded.Lab
	env []string
}

func run(ctx context.Context, show func(*demo) error) (err error) {
	tmp, err := os.MkdirTemp("", "docker-vpn-helper-demo")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(tmp)) }()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(tmp, "bin")
	var names []string
	for name := range own {
		names = append(names, name)
	}
	if err := embedded.Link(bin, exe, names...); err != nil {
		return fmt.Errorf("making the demo's programs: %w", err)
	}
	lab, err := embedded.New(embedded.Options{OS: host.Darwin, Home: filepath.Join(tmp, "home"), Bin: bin})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	running := filepath.Join(tmp, "running")
	if err := os.Mkdir(running, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endPrograms(running)) }()
	return show(&demo{ctx: ctx, lab: lab, env: append(environ(lab), runningVariable+"="+running)})
}

// environ is the caller's environment without what points docker anywhere.
func environ(lab *embedded.Lab) []string {
	env := []string{"PATH=" + lab.Bin + string(os.PathListSeparator) + os.Getenv("PATH"), "SHELL=/bin/sh"}
	for _, name := range []string{"TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, lab.Env()...)
}

// machine makes a machine with a container that docker restarts, and starts it.
func (d *demo) machine(name, container string, certificateNames ...string) error {
	_, err := d.lab.Add(embedded.MachineOptions{Options: fakestore.Options{Name: name, Names: certificateNames}})
	if err != nil {
		return err
	}
	if err := d.lab.Start(name); err != nil {
		return err
	}
	return fakedockerhost.AddContainer(d.lab.GuestDir(name), container, "always")
}

// usual makes the machine that most people have: its certificate names localhost.
func (d *demo) usual() error { return d.machine("default", "web", "localhost", "192.168.99.100") }

// old makes a machine as docker-machine before 0.5 did: its certificate names the
// address alone.
func (d *demo) old() error { return d.machine("old", "db", "192.168.99.101") }
