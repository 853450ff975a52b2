package fakelaptop

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
)

var hostOnly = netip.MustParseAddr("192.168.99.100")

func inState(t *testing.T, os string, change func(*State)) string {
	t.Helper()
	w := New(os)
	w.Sudo = "root"
	if change != nil {
		change(w)
	}
	file := filepath.Join(t.TempDir(), "world.json")
	if err := w.Save(file); err != nil {
		t.Fatal(err)
	}
	return file
}

func run(t *testing.T, file string, program func(*call) int, stdin string, args ...string) (string, int) {
	t.Helper()
	w, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exit := program(&call{file: file, w: w, args: args, stdin: strings.NewReader(stdin), stdout: &out, stderr: &out})
	return out.String(), exit
}

func owner(t *testing.T, file string) string {
	t.Helper()
	out, _ := run(t, file, route, "", "-n", "get", hostOnly.String())
	r, _, err := routes.ParseRouteGet([]byte(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return r.Link
}

func TestRouteOverAVPNsLife(t *testing.T) {
	file := inState(t, host.Darwin, nil)
	step := func(what, want string) {
		t.Helper()
		if got := owner(t, file); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	step("healthy", "vboxnet0")
	change := func(f func(*State)) {
		t.Helper()
		if err := Update(file, func(w *State) error { f(w); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	change((*State).VPNOn)
	step("VPN on", "utun4")
	if out, exit := run(t, file, route, "", "-n", "add", "-net", "192.168.99.0/24", "-interface", "vboxnet0"); exit == 0 || !strings.Contains(out, "File exists") {
		t.Errorf("adding over the VPN's route: exit %d, %s", exit, out)
	}
	change((*State).VPNOff)
	step("VPN off", "en0")
	if out, exit := run(t, file, route, "", "-n", "add", "-net", "192.168.99", "-interface", "vboxnet0"); exit != 0 {
		t.Errorf("adding: exit %d, %s", exit, out)
	}
	step("added again", "vboxnet0")
}

func TestWhatTheParsersRead(t *testing.T) {
	file := inState(t, host.Darwin, (*State).VPNOn)
	out, _ := run(t, file, netstat, "", "-rn", "-f", "inet")
	rows, err := routes.ParseNetstat([]byte(out))
	if err != nil || len(rows) != 3 {
		t.Errorf("netstat: %v, %d rows\n%s", err, len(rows), out)
	}
	out, _ = run(t, file, scutil, routes.ScutilListKeys)
	if c := routes.Identify(routes.Signs{Keys: routes.ParseScutilKeys([]byte(out))}); !c.Connected {
		t.Errorf("scutil: %+v from\n%s", c, out)
	}
}

func TestRouteNeedsRoot(t *testing.T) {
	file := inState(t, host.Darwin, func(w *State) { w.Sudo = "cached" })
	if _, exit := run(t, file, route, "", "-n", "delete", "-net", "192.168.99.0/24"); exit != 77 {
		t.Errorf("exit %d", exit)
	}
	if got := owner(t, file); got != "vboxnet0" {
		t.Errorf("owner %s", got)
	}
}

func TestPacketsGoWhereTheRoutesLead(t *testing.T) {
	dial := func(change func(*State)) error {
		w := New(host.Linux)
		change(w)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := w.dial(ctx, t.TempDir(), hostOnly, 2376)
		return err
	}
	for situation, c := range map[string]struct {
		change func(*State)
		want   error
	}{
		"no_vm_has_the_address": {func(*State) {}, syscall.EHOSTUNREACH},
		"vpn_drops":             {(*State).VPNOn, os.ErrDeadlineExceeded},
		"route_lost":            {func(w *State) { w.VPNOn(); w.VPNOff() }, os.ErrDeadlineExceeded},
		"no_route_at_all":       {func(w *State) { w.Routes = nil }, syscall.ENETUNREACH},
		"refused":               {func(w *State) { w.link("vboxnet0").To = Refuse }, syscall.ECONNREFUSED},
	} {
		if err := dial(c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", situation, err, c.want)
		}
	}
}

func TestWorldSurvivesItsFile(t *testing.T) {
	file := inState(t, host.Darwin, (*State).VPNOn)
	want := New(host.Darwin)
	want.Sudo = "root"
	want.VPNOn()
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

// A script that follows a hint must not go on as if a command had done its work that does nothing here.
func TestCommandsThatAreNotInThisWorldFail(t *testing.T) {
	for os, commands := range map[string]map[string]int{
		host.Darwin: {
			"-a": 0, "vboxnet0": 1, "vboxnet0 mtu 1400": 1, "vboxnet0 inet 192.168.99.1 netmask 255.255.255.0 up": 1,
		},
		host.Linux: {
			"route replace 192.168.99.0/24 dev vboxnet0": 0, "route flush 192.168.99.0/24": 255,
			"link set dev vboxnet0 mtu 1400": 255, "link show vboxnet0": 255, "addr add 192.168.99.1/24 dev vboxnet0": 255,
		},
	} {
		program := map[string]func(*call) int{host.Darwin: ifconfig, host.Linux: ip}[os]
		for command, want := range commands {
			if out, exit := run(t, inState(t, os, nil), program, "", strings.Fields(command)...); exit != want {
				t.Errorf("%s: exit %d, want %d: %s", command, exit, want, out)
			}
		}
	}
}
