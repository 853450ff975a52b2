// Command docker-vpn-helper finds and repairs what keeps docker on a laptop from dockerd
// in a docker-machine VM.
package main

import (
	"os"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// version is set by the linker in a release.
var version = "dev"

func main() {
	laptop := func(s host.Sudo) host.Laptop { return host.NewLocal(s) }
	os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Signals: host.Signals, Laptop: laptop, Version: version, Now: time.Now}))
}
