package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func TestTranscriptBehavesLikeTheComputer(t *testing.T) {
	ctx, c := t.Context(), Open(t, "testdata/anyconnect.txt")
	run := func(argv ...string) (string, error) {
		out, err := c.Run(ctx, host.Cmd{Argv: argv})
		return string(out.Stdout), err
	}
	same(t, "os", "darwin", c.OS())
	vbox, err := c.LookPath("VBoxManage")
	check(t, err)
	out, err := run(vbox, "list", "vms")
	check(t, err)
	same(t, "list vms", "\"default\" {uuid}\n", out)
	_, err = run("VBoxManage", "showvminfo", "its", "a b")
	same(t, "exit status", error(&host.CmdError{Argv: []string{"VBoxManage", "showvminfo", "its", "a b"}, Exit: 1, Stderr: "VBoxManage: error: Could not find a registered machine\n"}), err)

	before, _ := run("route", "-n", "get", "192.168.99.100")
	_, err = c.Run(ctx, host.Cmd{Argv: []string{"route", "-n", "add", "-net", "192.168.99", "-interface", "vboxnet0"}, Root: true})
	check(t, err)
	after, _ := run("route", "-n", "get", "192.168.99.100")
	same(t, "the command led to the next scene", []string{"  interface: utun0\n", "  interface: vboxnet0\n", "repaired"}, []string{before, after, c.Scene()})
	same(t, "ran", []string{"$ VBoxManage list vms", "$ VBoxManage showvminfo its 'a b'", "$ route -n get 192.168.99.100",
		"# route -n add -net 192.168.99 -interface vboxnet0", "$ route -n get 192.168.99.100"}, c.Ran())

	free, _ := c.PortUse(ctx, 2376)
	taken, _ := c.PortUse(ctx, 2377)
	same(t, "ports of the scene", []host.PortState{host.PortFree, host.PortTaken}, []host.PortState{free, taken})
	if _, err := c.RouteTo(ctx, netip.MustParseAddr("192.168.99.100")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("route: %v", err)
	}
	links, _ := c.Links(ctx)
	same(t, "links", []host.Link{{Name: "vboxnet0", Kind: "bridge", Up: true, Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.99.1/24")}}, {Name: "en1"}}, links)
	procs, _ := c.Processes(ctx)
	same(t, "processes", []host.Process{{PID: 4242, Name: "vpnagentd", Args: "/opt/cisco/anyconnect/bin/vpnagentd -execv_instance"}}, procs)
	names, _ := c.Ancestors(ctx)
	same(t, "ancestors", []string{"zsh", "Terminal"}, names)
	if _, err := c.Run(ctx, host.Cmd{Argv: []string{"tee", "/etc/x"}, Stdin: []byte("hello\n")}); err != nil {
		t.Error(err)
	}
}

func TestWhatNeverEndsEndsWithTheContext(t *testing.T) {
	c := Open(t, "testdata/anyconnect.txt")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, host.Cmd{Argv: []string{"slow"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.DialContext(ctx, "tcp", "192.168.99.100:22"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:2377"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	if conn, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:2376"); err != nil {
		t.Error(err)
	} else if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("an open port said something")
	}
}

func TestFiles(t *testing.T) {
	ctx, c := t.Context(), Open(t, "testdata/anyconnect.txt")
	_, err := c.ReadFile(ctx, "/Users/ann/machines/other/config.json")
	_, none := c.ReadFile(ctx, "/nothing")
	if !errors.Is(err, fs.ErrPermission) || !errors.Is(none, fs.ErrNotExist) {
		t.Errorf("%v, %v", err, none)
	}
	check(t, c.WriteFile(ctx, "/Users/ann/machines/new/x", []byte("y"), 0o600))
	check(t, c.Remove(ctx, "/Users/ann/machines/default/config.json"))
	entries, err := c.ReadDir(ctx, "/Users/ann/machines")
	check(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	same(t, "directory", []string{"new", "other"}, names)
	same(t, "written", map[string][]byte{"/Users/ann/machines/new/x": []byte("y"), "/Users/ann/machines/default/config.json": nil}, c.Written())
}

// tester stands in for a test that must fail.
type tester struct {
	testing.TB
	failed   []string
	cleanups []func()
}

func (t *tester) Helper()          {}
func (t *tester) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *tester) Errorf(format string, args ...any) {
	t.failed = append(t.failed, strings.TrimSpace(format))
}

func TestUnlistedCommandFailsTheTest(t *testing.T) {
	for name, cmd := range map[string]host.Cmd{
		"unknown":     {Argv: []string{"VBoxManage", "list", "runningvms"}},
		"root":        {Argv: []string{"VBoxManage", "list", "vms"}, Root: true},
		"other_input": {Argv: []string{"tee", "/etc/x"}, Stdin: []byte("bye\n")},
	} {
		t.Run(name, func(t *testing.T) {
			inner := &tester{TB: t}
			c := Open(inner, "testdata/anyconnect.txt")
			if _, err := c.Run(t.Context(), cmd); err == nil {
				t.Error("it ran")
			}
			for _, f := range inner.cleanups {
				f()
			}
			if len(inner.failed) != 1 {
				t.Errorf("failures: %q", inner.failed)
			}
		})
	}
}

func TestLock(t *testing.T) {
	c := Open(t, "testdata/anyconnect.txt")
	unlock, err := c.Lock(t.Context(), "/l", nil)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	waited := false
	if _, err := c.Lock(ctx, "/l", func() { waited = true }); !errors.Is(err, context.DeadlineExceeded) || !waited {
		t.Errorf("%v, waited %v", err, waited)
	}
	unlock()
	unlock()
	_, err = c.Lock(t.Context(), "/l", nil)
	check(t, err)
}

func TestMistakesInATranscript(t *testing.T) {
	head := "-- computer --\nos linux\n"
	for name, text := range map[string]string{
		"no_os":         "-- $ ls --\n",
		"unknown_fact":  head + "color blue\n",
		"bad_link":      head + "link a b sideways\n",
		"bad_route":     head + "route x y z\n",
		"no_such_scene": head + "-- $ ls => scene x --\n",
		"bad_mark":      head + "-- $ ls => explode --\n",
		"bad_exit":      head + "-- $ ls => exit x --\n",
		"open_quote":    head + "-- $ ls 'x --\n",
		"twice":         head + "-- $ ls --\n-- $ /bin/ls --\n",
		"lost_stderr":   head + "-- stderr --\nx\n",
		"unknown":       head + "-- whatever --\n",
		"empty_command": head + "-- $ '' --\n",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/anyconnect.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("-- computer --\nos linux\n-- $ a => exit 1 => scene b --\n-- scene b --\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		// Every command that is listed can be run, and nothing of the computer panics.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, cmd := range c.scenes[""].commands {
			in := host.Cmd{Argv: cmd.argv, Root: cmd.root}
			if cmd.stdin != nil {
				in.Stdin = []byte(*cmd.stdin)
			}
			c.Run(ctx, in)
		}
		if u := c.Unlisted(); len(u) > 0 {
			t.Errorf("listed, but not found: %q", u)
		}
		c.Links(ctx)
		c.Processes(ctx)
		c.ReadDir(ctx, "/")
		c.DialContext(ctx, "tcp", "127.0.0.1:1")
	})
}

func FuzzWords(f *testing.F) {
	f.Add("a b", "'", `\`, "")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		want := []string{a, b, c, d}
		for _, w := range want {
			if w != strings.ToValidUTF8(w, "") {
				return
			}
		}
		got, err := split(quote(a) + " " + quote(b) + "  " + quote(c) + "\t" + quote(d))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "words", want, got)
	})
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
