// Package endpoint asks what answers at a host and port where docker may
// connect: TLS, the Docker API, whose certificate it is, and whether the client of
// docker would accept it. A Finder has these endpoints:
//
//	VerifiedRecord  the record's, if this machine's dockerd answers there
//	Recorded        the record's, else the NAT rule's, else HostOnly: none is verified
//	ForDocker       VerifiedRecord, else the NAT rule's, else HostOnly if dockerd answers there, else planned
//	Goal            ForDocker; a planned one has its port, for which VirtualBox is asked about every VM
//	HostOnly        the machine's own address, the way that a VPN takes
//	Inside          dockerd's port as the docker host sees it, through SSH: docker itself cannot use it
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

// Config is what the endpoints of a machine depend on.
type Config struct {
	Laptop  host.Laptop
	Store   *store.Store
	Machine store.Machine
	VM      *virtualbox.Machine
	// DockerHost is the docker host, logged in to; SSHAlive reports whether its sshd gives
	// a sign of life at the machine's own address.
	DockerHost func(context.Context) (host.Host, error)
	SSHAlive   func(context.Context) bool
	Mode       func() mode.Mode
	// RulePort is the port that a new NAT rule to dockerd would get.
	RulePort func(context.Context) (int, error)
	Now      func() time.Time
	Getenv   func(string) string
	// Owners are the store's machines by the hash of their server's public key. Many
	// machines share them.
	Owners *memo.Of[map[string]string]
}

// Finder knows the endpoints of one machine and asks them. What they answer is
// remembered until Forget.
type Finder struct {
	Config
	answers   memo.ByKey[Endpoint, Answer]
	forDocker memo.Of[Endpoint]
}

// New is the Finder of a machine.
func New(c Config) *Finder { return &Finder{Config: c} }

// Forget drops what the endpoints have answered.
func (f *Finder) Forget() {
	f.answers.Forget()
	f.forDocker.Forget()
}
