package vmchange_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// routeless is a laptop that answers the n-th question for the route with an error.
type routeless struct {
	*hosttest.Computer
	n int
}

var errNoAnswer = errors.New("no answer")

func (r *routeless) RouteTo(ctx context.Context, ip netip.Addr) (host.Route, error) {
	if r.n--; r.n == 0 {
		return host.Route{}, errNoAnswer
	}
	return r.Computer.RouteTo(ctx, ip)
}

// A route that cannot be looked at may be ours: it counts neither as gone nor as undone.
func TestRouteThatCannotBeAskedFor(t *testing.T) {
	const (
		drop       = "# ip route del 192.168.99.0/24 dev vboxnet0"
		transcript = `-- computer --
os linux
link vboxnet0 - up 192.168.99.1/24
route 192.168.99.100 vboxnet0 192.168.99.0/24
`
	)
	for situation, tt := range map[string]struct {
		question int
		drop     string
		want     error
		ran      []string
	}{
		"before_it_is_dropped":            {1, "", errNoAnswer, nil},
		"after_it_could_not_be_dropped":   {2, " => exit 2", &host.CmdError{}, []string{drop}},
		"after_it_was_dropped":            {2, "", nil, []string{drop}},
		"still_there_and_always_answered": {0, " => exit 2", &host.CmdError{}, []string{drop}},
	} {
		t.Run(situation, func(t *testing.T) {
			c := &routeless{hosttest.New(t, []byte(transcript+"-- "+drop+tt.drop+" --\n")), tt.question}
			tgt := &target.Target{Laptop: c, Network: laptop.New(c), VirtualBox: virtualbox.New(c, func() bool { return true })}
			tgt.SetMachine(store.Machine{Name: "x", IP: netip.MustParseAddr("192.168.99.100"), HostOnlyCIDR: netip.MustParsePrefix("192.168.99.1/24")})
			change := &vmchange.RestoreRoute{OS: host.Linux, Net: netip.MustParsePrefix("192.168.99.1/24"), Adapter: "vboxnet0"}
			left, err := change.Revert(t.Context(), tgt)
			var exit *host.CmdError
			if _, failed := tt.want.(*host.CmdError); failed != errors.As(err, &exit) || !failed && !errors.Is(err, tt.want) || left != nil {
				t.Errorf("%v, %v, want %v", left, err, tt.want)
			}
			if diff := cmp.Diff(tt.ran, c.Ran()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What Backup cannot see it does not write down as not there.
func TestBackupOfARouteThatCannotBeAskedFor(t *testing.T) {
	c := &routeless{hosttest.New(t, []byte("-- computer --\nos linux\nlink vboxnet0 - up 192.168.99.1/24\n-- /proc/sys/kernel/random/boot_id --\nabc\n")), 1}
	tgt := &target.Target{Laptop: c, Network: laptop.New(c), VirtualBox: virtualbox.New(c, func() bool { return true })}
	tgt.SetMachine(store.Machine{Name: "x", IP: netip.MustParseAddr("192.168.99.100")})
	change := &vmchange.RestoreRoute{OS: host.Linux, Net: netip.MustParsePrefix("192.168.99.1/24"), Adapter: "vboxnet0"}
	if err := change.Backup(t.Context(), tgt); !errors.Is(err, errNoAnswer) {
		t.Errorf("%v, want %v", err, errNoAnswer)
	}
}
