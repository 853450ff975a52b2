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

// probeTime is how long one probe may take; a peer that sends nothing for so long is silent.
const probeTime = 2 * time.Second

// Config is what logins depend on.
type Config struct {
	Laptop  host.Laptop
	Machine store.Machine
	VM      *virtualbox.Machine
	// StateDir is the program's state directory, MachineDir the machine's directory in it.
	StateDir, MachineDir string
	Now                  func() time.Time
	Mode                 func() mode.Mode
	// AcceptHostKey reports whether the user accepts a changed host key.
	AcceptHostKey func() bool
	// VMAnswers reports whether something answers at dockerd's endpoint, which means that the VM is
	// up.
	VMAnswers func(context.Context) bool
	// Notify prints a line of progress, such as what the program waits for.
	Notify func(format string, args ...any)
}

// Access logs in to one docker host. It is safe for concurrent use.
type Access struct {
	Config
	client      memo.Of[*sshhost.Client]
	retried     atomic.Bool           // this run has used its one additional login
	rollback    atomic.Bool           // a rollback is under way: the login rule does not apply
	established atomic.Pointer[Login] // nil before the first login
	smallOnly   atomic.Bool           // this run has lost large packets
	background  sync.WaitGroup        // writes histories
}

// New returns the Access for a docker host. It logs in when it is first used.
func New(c Config) *Access { return &Access{Config: c} }

// Exists reports whether the machine has SSH: with docker-machine's driver "none" it only has an
// address.
func (a *Access) Exists() bool { return a.Machine.Driver != "none" }

// dialer returns the function that opens a login's TCP connection.
func (a *Access) dialer(how Login) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if small, ok := a.Laptop.(host.SmallDialer); ok && how.Small {
			return small.DialSmall(ctx, how.Address.Addr, smallSegment)
		}
		return a.Laptop.DialContext(ctx, "tcp", how.Address.Addr)
	}
}
