// Package endpoint finds out what answers at a host and port where docker may connect: whether it
// speaks TLS and the Docker API, whose certificate it has, and whether docker would accept that. A
// Finder knows these endpoints of a machine:
//
//	VerifiedRecord  that of the endpoint record, if this machine's dockerd answers there
//	Recorded        the record's, else the NAT rule's, else HostOnly; it does not check them
//	ForDocker       VerifiedRecord, else the NAT rule's, else HostOnly if dockerd answers there, else planned
//	Goal            ForDocker; a planned one has its port, for which VirtualBox is asked about every VM
//	HostOnly        the machine's own address, to which a VPN may take the route
//	Inside          dockerd's port as the docker host sees it, over SSH; docker itself cannot use it
package endpoint

import (
	"context"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// Config is what a Finder needs.
type Config struct {
	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	VM      *virtualbox.Machine
	// DockerHost logs in to the docker host. SSHAlive reports whether sshd's port at the machine's
	// own address accepts or refuses a connection.
	DockerHost func(context.Context) (host.Host, error)
	SSHAlive   func(context.Context) bool
	Mode       func() mode.Mode
	// RulePort returns the port that a new NAT rule to dockerd would get.
	RulePort func(context.Context) (int, error)
	Now      func() time.Time
	Getenv   func(string) string
	// Owners maps the hash of each server's public key to the name of its machine. All machines of
	// the store share it.
	Owners *memo.Of[map[string]string]
}

// Finder knows the endpoints of one machine. It remembers their answers until Forget.
type Finder struct {
	Config
	answers   memo.ByKey[Endpoint, Answer]
	forDocker memo.Of[Endpoint]
}

// New returns the Finder of a machine.
func New(c Config) *Finder { return &Finder{Config: c} }

// Forget drops the remembered answers.
func (f *Finder) Forget() {
	f.answers.Forget()
	f.forDocker.Forget()
}
