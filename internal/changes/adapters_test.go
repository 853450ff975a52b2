package changes

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host/hosttest"
)

// lingering has a VBoxSVC that ends after it was seen so often.
type lingering struct {
	*hosttest.Computer
	seen, ends int
}

func (l *lingering) Processes(context.Context) ([]host.Process, error) {
	if l.seen++; l.seen > l.ends {
		return []host.Process{{PID: 5, Name: "VBoxSVC", Foreign: true}}, nil
	}
	return []host.Process{{PID: 4, Name: "VBoxSVC"}}, nil
}

// The next VBoxSVC makes the adapters anew; another user's is of no concern, and
// one that never ends is not waited for.
func TestModuleRestartWaitsForVirtualBoxsServerToEnd(t *testing.T) {
	w, c := on(t, "x\n-- computer --\nos darwin\n")
	l := &lingering{Computer: c, ends: 2}
	w.Laptop = l
	if err := (&RestartModules{}).awaitServer(t.Context(), w); err != nil || l.seen != 3 {
		t.Errorf("%v, looked %d times", err, l.seen)
	}
	l.ends = 1000
	now := time.Now()
	w.Now = func() time.Time { now = now.Add(serverTime / 2); return now }
	if err := (&RestartModules{}).awaitServer(t.Context(), w); err != nil {
		t.Error(err)
	}
}

func TestConfigureMakesTheAdapterThatIsGone(t *testing.T) {
	const gone = `VirtualBox 6.1; the texts are VBoxManageHostonly.cpp's.

-- computer --
os darwin
-- $ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0 => exit 1 --
-- stderr --
VBoxManage: error: The host network interface named 'vboxnet1' could not be found
-- $ VBoxManage hostonlyif create => scene made --
0%...10%...100%
Interface 'NAME' was successfully created
-- $ VBoxManage hostonlyif remove vboxnet0 --
-- scene made --
-- $ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0 --
`
	const ipconfig = "$ VBoxManage hostonlyif ipconfig vboxnet1 --ip 192.168.99.1 --netmask 255.255.255.0"
	for name, want := range map[string][]string{
		"vboxnet1": {ipconfig, "$ VBoxManage hostonlyif create", ipconfig},
		"vboxnet0": {ipconfig, "$ VBoxManage hostonlyif create", "$ VBoxManage hostonlyif remove vboxnet0"},
	} {
		w, c := on(t, strings.ReplaceAll(gone, "NAME", name))
		err := configure(t.Context(), w, HostOnly{Name: "vboxnet1", Addr: netip.MustParsePrefix("192.168.99.1/24")})
		if (err == nil) != (name == "vboxnet1") {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.Ran()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
