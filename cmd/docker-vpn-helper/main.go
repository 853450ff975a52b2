// Command docker-vpn-helper finds, repairs and proves the path from docker on a
// laptop to dockerd in a docker-machine VM.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// version is set by the linker in a release.
var version = "dev"

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a closed pipe must not kill a repair; ignored, it would be so for commands, too
	laptop := func(s host.Sudo) host.Laptop { return host.NewLocal(s) }
	os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Signals: signals, Laptop: laptop, Version: version, Now: time.Now}))
}
