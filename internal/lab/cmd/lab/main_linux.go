// Command lab lets a developer stand in the test lab by hand; scripts/lab builds
// and runs it. Inside a lab, the same program is VBoxManage, VBoxHeadless, the
// first process of each VM and the VPN client's script.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := lab.Main(ctx, filepath.Base(os.Args[0]), os.Args[1:])
	stop()
	os.Exit(code)
}
