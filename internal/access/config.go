package access

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// probeTime bounds one probe: a peer that sends nothing for so long is silent.
const probeTime = 2 * time.Second

// Config is what a login depends on.
type Config struct {
	Laptop  host.Laptop
	Machine store.Machine
	VM      *virtualbox.Machine
	// StateDir is the program's state directory, MachineDir the machine's part of it.
	StateDir, MachineDir string
	Now                  func() time.Time
	Mode                 func() mode.Mode
	// AcceptHostKey reports whether the user takes a changed host key as the new one.
	AcceptHostKey func() bool
	// VMAnswers reports whether something answers at dockerd's endpoint: the VM is up then.
	VMAnswers func(context.Context) bool
	// Notify passes on what a wait is for.
	Notify func(format string, args ...any)
}

// Access is the way in to one docker host.
type Access struct {
	Config
	client     memo.Of[*sshhost.Client]
	again      atomic.Bool // the one further connection of this run has been made
	rollback   atomic.Bool
	made       atomic.Pointer[Login]
	smallOnly  atomic.Bool    // larger packets were lost in this run
	background sync.WaitGroup // histories that are being written
}

// New is the access to a docker host. It logs in when it is first used.
func New(c Config) *Access { return &Access{Config: c} }

// Exists reports whether the machine has SSH at all: driver none has an address and
// nothing else.
func (a *Access) Exists() bool { return a.Machine.Driver != "none" }

// dialer opens the TCP connection of a login.
func (a *Access) dialer(how Login) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if small, ok := a.Laptop.(host.SmallDialer); ok && how.Small {
			return small.DialSmall(ctx, how.Address.Addr, smallSegment)
		}
		return a.Laptop.DialContext(ctx, "tcp", how.Address.Addr)
	}
}
