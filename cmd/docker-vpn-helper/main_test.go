package main

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
)

// TestMain turns this binary into every program of the test world: the one under
// test and those that it calls.
func TestMain(m *testing.M) {
	if code, ok := fakedockerhost.Main(); ok {
		os.Exit(code)
	}
	programs := map[string]func(){"docker-vpn-helper": underTest}
	for name, run := range embedded.Programs() {
		programs[name] = func() { os.Exit(run(os.Args[1:])) }
	}
	testscript.Main(m, programs)
}

// underTest is main, but that it runs on the world's laptop.
func underTest() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Signals: host.Signals, Laptop: embedded.Laptop, Version: "test", Now: time.Now}))
}
