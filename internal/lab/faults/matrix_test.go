package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

const program = "docker-vpn-helper"

func TestMain(m *testing.M) {
	if code, ok := embedded.Dispatch(); ok {
		os.Exit(code)
	}
	if filepath.Base(os.Args[0]) == program {
		os.Exit(underTest())
	}
	os.Exit(m.Run())
}

func underTest() int {
	var wrapped *Laptop
	code := cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Signals: host.Signals,
		Laptop:  func(s host.Sudo) host.Laptop { wrapped = Wrap(embedded.Laptop(s)); return wrapped },
		Version: "test", Now: time.Now})
	if wrapped != nil {
		wrapped.Report()
	}
	return code
}

// The laptops whose repair is broken. Together their repairs have every kind of change
// that fix undoes.
var laptops = map[string]laptop{
	"VPN connected":    {os: host.Linux, happened: (*fakelaptop.State).VPNOn},
	"VPN disconnected": {os: host.Darwin, happened: func(o *fakelaptop.State) { o.VPNOn(); o.VPNOff() }},
}

type laptop struct {
	os       string
	happened func(*fakelaptop.State)
}

// world is a laptop with a machine whose certificate does not name localhost, and two
// running containers.
type world struct {
	*embedded.Lab
	t    *testing.T
	os   string
	bin  string
	port string // for --port: worlds side by side must not race for one
}

func newWorld(t *testing.T, l laptop) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := embedded.Link(bin, self, program); err != nil {
		t.Fatal(err)
	}
	w, err := embedded.New(embedded.Options{OS: l.os, Home: home, Bin: bin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.Add(embedded.MachineOptions{Options: fakestore.Options{Names: []string{"192.168.99.100"}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Start("default"); err != nil {
		t.Fatal(err)
	}
	if err := w.Laptop(func(o *fakelaptop.State) { l.happened(o); o.OwnPorts = true }); err != nil {
		t.Fatal(err)
	}
	for name, restart := range map[string]string{"web": "no", "db": "always"} {
		if err := fakedockerhost.AddContainer(w.GuestDir("default"), name, restart); err != nil {
			t.Fatal(err)
		}
	}
	port, err := embedded.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	return &world{Lab: w, t: t, os: l.os, bin: bin, port: strconv.Itoa(port.Addr().(*net.TCPAddr).Port)}
}

// patience ends a run that hangs. It is far more than any run takes, because a busy
// computer may be ten times slower.
const patience = 10 * time.Minute

// run runs the program with a fault and returns its exit code; -1 is a kill.
func (w *world) run(fault string, args ...string) (int, string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := w.command(ctx, args...)
	cmd.Env = append(cmd.Env, Variable+"="+fault, CountFile+"="+filepath.Join(w.Home, "count"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("running %v: %v", args, err)
	}
	w.checkHints(fault, out.String())
	return cmd.ProcessState.ExitCode(), out.String()
}

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	if slices.Contains(args, "fix") {
		args = append(args, "--port", w.port)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, program), args...)
	cmd.Env = w.environment()
	return cmd
}

func (w *world) environment() []string {
	return append(append(os.Environ(), w.Env()...), "HOME="+w.Home, "SHELL=/bin/sh", "PATH="+w.bin, "XDG_STATE_HOME=")
}

// snapshot is what must be as before or as after.
type snapshot struct {
	Store, Disk, Served string // server certificates, by hash
	Config, Record      string
	Rules, Routes       string
	Running             string
}

func (w *world) snapshot() snapshot {
	w.t.Helper()
	dir := w.GuestDir("default")
	if err := embedded.Await("dockerd to serve", func() bool { return fakedockerhost.Serves(dir) }); err != nil {
		w.t.Error(err)
	}
	m, err := w.Machine("default")
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := w.VBoxManage("showvminfo", "default", "--machinereadable")
	if err != nil {
		w.t.Fatal(err)
	}
	s := snapshot{
		Store:  hash(filepath.Join(m.Dir, "server.pem")),
		Disk:   hash(filepath.Join(dir, "root/var/lib/boot2docker/server.pem")),
		Config: hash(filepath.Join(m.Dir, "config.json")),
		Record: hash(filepath.Join(m.Dir, "docker-vpn-helper.json")),
		Served: w.served(dir),
	}
	if err := w.Laptop(func(o *fakelaptop.State) { s.Routes = fmt.Sprint(o.Routes) }); err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "Forwarding") && strings.Contains(line, program) {
			s.Rules += strings.TrimSpace(line)
		}
	}
	s.Running = w.running()
	return s
}

func (w *world) running() (names string) {
	for _, c := range fakedockerhost.Containers(w.GuestDir("default")) {
		if c.Running {
			names += c.Name + " "
		}
	}
	return names
}

// wantRunning wants the containers that ran to run. Where the program has come to no
// end of its own, what it had begun on the docker host goes on by itself.
func (w *world) wantRunning(fault string, code int, now, before snapshot, out string) {
	w.t.Helper()
	if code == killed || code == 5 {
		_ = embedded.Await("the containers", func() bool { now.Running = w.running(); return now.Running == before.Running })
	}
	if now.Running != before.Running {
		w.t.Errorf("%s: running %q, before %q\n%s", fault, now.Running, before.Running, out)
	}
}

func hash(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "none"
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

func (w *world) served(dir string) string {
	port, err := os.ReadFile(filepath.Join(dir, "net", "2376"))
	if err != nil {
		return "none"
	}
	served := "none"
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strings.TrimSpace(string(port))), &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			sum := sha256.Sum256(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.PeerCertificates[0].Raw}))
			served = hex.EncodeToString(sum[:4])
			return nil
		},
	})
	if err == nil {
		conn.Close()
	} // else dockerd wants a certificate of ours; it has shown its own
	return served
}

// TestFixIsAllOrNothing breaks fix at every operation in every way. Afterwards
// one more fix heals, and undo restores the start. DVH_FAULTS=all tries every
// operation; else one in forty, from a random one on.
func TestFixIsAllOrNothing(t *testing.T) { everywhere(t, (*world).survives) }

// TestUndoIsAllOrNothing breaks undo likewise. Afterwards one more undo finishes it.
func TestUndoIsAllOrNothing(t *testing.T) { everywhere(t, (*world).undoSurvives) }

// survival tries one fault, "MODE:N". It returns how many operations there are to
// break, which it finds out where the fault is none.
type survival func(w *world, fault string, before snapshot) (operations int)

func everywhere(t *testing.T, try survival) {
	for name, l := range laptops {
		for _, mode := range []Mode{Fail, Hang, Kill} {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				newWorld(t, l).breakEverywhere(mode, try)
			})
		}
	}
}

func (w *world) breakEverywhere(mode Mode, try survival) {
	t := w.t
	before := w.snapshot()
	operations := try(w, "", before)
	stride, first := 40, 1+rand.IntN(40)
	if os.Getenv("DVH_FAULTS") == "all" {
		stride, first = 1, 1
	}
	tried := 0
	for n := first; n <= operations; n += stride {
		try(w, fmt.Sprintf("%s:%d", mode, n), before)
		tried++
		if t.Failed() {
			return
		}
	}
	t.Logf("%d faults at %d operations survived, from operation %d on in steps of %d", tried, operations, first, stride)
}

// operations is how many the last run had.
func (w *world) operations() int {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Home, "count"))
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// killed is the exit code of a run that was killed.
const killed = -1

// limit is the --timeout of a run. What hangs is to end soon; what does not has time, also
// on a computer that is busy.
func limit(fault string) string {
	if strings.HasPrefix(fault, string(Hang)) {
		return "5s"
	}
	return "1m"
}

func (w *world) survives(fault string, before snapshot) (operations int) {
	w.t.Helper()
	code, out := w.run(fault, "--timeout", limit(fault), "--yes", "fix", "default")
	if code == 0 {
		operations = w.operations()
	}
	if fault == "" && code != 0 {
		w.t.Fatalf("fix without a fault: exit %d\n%s", code, out)
	}
	now := w.snapshot()
	switch code {
	case killed, 0:
		// As before or as after: what is served is what is on disk.
		if now.Served != now.Disk {
			w.t.Errorf("%s: dockerd serves %s, on its disk is %s", fault, now.Served, now.Disk)
		}
	default:
		if now != before {
			w.t.Errorf("%s: exit %d and not as before:\n%s\n%s", fault, code, cmp.Diff(before, now), out)
		}
	}
	w.wantRunning(fault, code, now, before, out)
	followed := w.followHints(fault, out)
	if again, out2 := w.run("", "--yes", "fix", "default"); again != 0 {
		w.t.Errorf("%s: exit %d; the next fix ends with %d:\n%s\nthen\n%s", fault, code, again, out, out2)
		return operations
	}
	if code == 0 || followed {
		// It repaired what docker needs, and the next one the rest: two runs.
		w.undo(before, "--all")
	} else {
		w.undo(before, "default")
	}
	if w.t.Failed() {
		w.t.Logf("%s: exit %d\n%s", fault, code, out)
	}
	return operations
}

func (w *world) undoSurvives(fault string, before snapshot) (operations int) {
	w.t.Helper()
	if code, out := w.run("", "--yes", "fix", "default"); code != 0 {
		w.t.Fatalf("fix: exit %d\n%s", code, out)
	}
	after := w.snapshot()
	code, out := w.run(fault, "--timeout", limit(fault), "undo", "default")
	if code == 0 {
		operations = w.operations()
	}
	now := w.snapshot()
	switch code {
	case killed, 5: // the journal says what is left
		if now.Served != now.Disk {
			w.t.Errorf("%s: dockerd serves %s, on its disk is %s", fault, now.Served, now.Disk)
		}
	case 0:
		if now != before {
			w.t.Errorf("%s: undone, and not as before:\n%s\n%s", fault, cmp.Diff(before, now), out)
		}
	default:
		if now != after {
			w.t.Errorf("%s: exit %d and not as it was:\n%s\n%s", fault, code, cmp.Diff(after, now), out)
		}
	}
	w.wantRunning(fault, code, now, before, out)
	w.undo(before, "default")
	if w.t.Failed() {
		w.t.Logf("%s: exit %d\n%s", fault, code, out)
	}
	return operations
}

func (w *world) undo(before snapshot, what string) {
	w.t.Helper()
	code, out := w.run("", "undo", what)
	if code != 0 {
		w.t.Errorf("undo: exit %d\n%s", code, out)
	}
	if diff := cmp.Diff(before, w.snapshot()); diff != "" {
		w.t.Errorf("undo did not restore the start: %s\n%s", diff, out)
	}
	beside, err := filepath.Glob(filepath.Join(w.Home, ".local/state/docker-vpn-helper/stores/*/machines/default/journal/*[^l]"))
	if len(beside) > 0 || err != nil {
		w.t.Errorf("beside the journals: %v %v", beside, err)
	}
}
