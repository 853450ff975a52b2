package host

import (
	"context"
	"net"
	"net/netip"
)

// Resolver is a Laptop that looks up names as its programs do.
type Resolver interface {
	// Lookup returns the addresses of a name; a name that is not known is a *net.DNSError.
	Lookup(ctx context.Context, name string) ([]netip.Addr, error)
}

// Lookup returns the addresses of a name; the error for an unknown name is a *net.DNSError.
func (l *Local) Lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, err
}
