//go:build e2e && linux

package bench

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// How often everything is measured; the figures are medians.
const (
	rounds   = 150
	restarts = 7
)

var update = flag.Bool("update", false, "write docs/benchmarks.md")

type bench struct {
	*testing.T
	lab   *lab.Lab
	store *fakestore.Store
	m     *fakestore.Machine
	vm    *nsguest.VM
	dir   string // built programs
	rows  []Row
}

func TestBench(t *testing.T) {
	b := setUp(t)
	b.local()
	b.quick()
	b.reissue()
	if *update {
		b.must(Write("../../../docs/benchmarks.md", Section{Title: Program, Command: "make bench", Rows: b.rows}, Machine()))
	}
}

func setUp(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir()}
	for name, pkg := range map[string]string{
		"lab": "../cmd/lab", "hello": "./hello", "handshake": "./handshake", "swap": "./swap", "ping": "./ping", "peak": "./peak", "docker-vpn-helper": "../../../cmd/docker-vpn-helper",
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.path(name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as in a release
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	b.lab, err = lab.Up(ctx, "", b.path("lab"))
	b.must(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.lab.Down(ctx); err != nil {
			t.Errorf("taking the lab down: %v", err)
		}
	})
	b.must(b.lab.DieWithMe())
	b.store, err = b.lab.NewStore(fakestore.StoreOptions{})
	b.must(err)
	b.m, b.vm, err = b.lab.AddMachine(b.store, nsguest.Boot2docker, fakestore.Options{Names: []string{"192.168.99.100"}})
	b.must(err)
	b.must(b.lab.StartMachine(ctx, "default"))
	b.must(b.lab.VPN().Connect(ctx, false))
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// run takes the time of one program on the laptop.
func (b *bench) run(argv ...string) time.Duration {
	b.Helper()
	took, _ := b.output(argv...)
	return took
}

// output also hands over what it printed. The program is started from a thread that
// is there already: nsenter would be measured with it.
func (b *bench) output(argv ...string) (time.Duration, string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = b.lab.Env(), b.lab.Home()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	b.must(b.lab.Laptop().Do(cmd.Start))
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out.Bytes())
	}
	return time.Since(start), out.String()
}

func (b *bench) helper(args ...string) []string {
	return append([]string{b.path("docker-vpn-helper")}, args...)
}

func (b *bench) handshake() []string {
	return []string{b.path("handshake"), b.m.Dir, "127.0.0.1:2376", "localhost"}
}

type figure struct {
	name  string
	argv  []string
	floor int // index of its floor
	goal  float64
	// memory is the goal for its peak, in MiB; 0 is none.
	memory float64
	took   []time.Duration
}

func (f *figure) median() time.Duration {
	slices.Sort(f.took)
	return f.took[len(f.took)/2]
}

// quick measures what a healthy machine costs.
func (b *bench) quick() {
	b.run(b.helper("fix", "default", "--yes")...)
	figures := []*figure{
		{name: "hello", argv: []string{b.path("hello")}},
		{name: "handshake", argv: b.handshake()},
		{name: "env --no-verify", argv: b.helper("env", "default", "--shell", "bash", "--no-verify"), floor: 0, goal: 1.5, memory: 12},
		{name: "env", argv: b.helper("env", "default", "--shell", "bash"), floor: 1, goal: 1.2, memory: 12},
		{name: "fix, healthy machine", argv: b.helper("fix", "default", "--shell", "bash"), floor: 1, goal: 1.5},
	}
	calls, logins := b.calls(), b.logins()
	for range rounds {
		// What runs just before leaves its traces in the caches: everybody's turn.
		for _, i := range rand.Perm(len(figures)) {
			figures[i].took = append(figures[i].took, b.run(figures[i].argv...))
		}
	}
	if n := b.calls() - calls; n != 0 {
		b.Errorf("VBoxManage was run %d times for a healthy machine", n)
	}
	if n := b.logins() - logins; n != 0 {
		b.Errorf("%d SSH logins for a healthy machine", n)
	}
	for _, f := range figures {
		b.report(f, figures[f.floor])
	}
	for _, f := range figures {
		b.peak(f)
	}
	b.run(b.helper("undo", "default", "--yes")...)
}

// reissue measures the first repair of an old machine against its floor.
func (b *bench) reissue() {
	newer, err := b.store.CA.Server(b.m.Server.Key, fakestore.ServerOptions{Names: []string{b.m.IP, "localhost", "127.0.0.1"}})
	b.must(err)
	cert := b.path("server.pem")
	b.must(os.WriteFile(cert, newer.CertPEM, 0o600))
	fix := &figure{name: "first fix with reissue", argv: b.helper("fix", "default", "--yes"), goal: 1.15}
	floor := &figure{name: "swap", argv: append([]string{
		b.path("swap"), filepath.Join(b.m.Dir, "id_rsa"), fmt.Sprintf("127.0.0.1:%d", b.m.SSHPort), cert, "/var/lib/boot2docker/server.pem",
	}, b.handshake()...)}
	for range restarts {
		fix.took = append(fix.took, b.run(fix.argv...))
		b.run(b.helper("undo", "default", "--yes")...)

		// The floor has the rule already and finds the old certificate.
		b.natRule("add")
		floor.took = append(floor.took, b.run(floor.argv...))
		b.must(b.vm.WriteFile("/var/lib/boot2docker/server.pem", b.m.Server.CertPEM, 0o644))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		b.must(b.vm.Service(ctx, "restart"))
		b.must(b.vm.AwaitDockerd(ctx))
		cancel()
		b.natRule("delete")
	}
	b.report(floor, floor)
	b.report(fix, floor)
}

func (b *bench) natRule(what string) {
	b.Helper()
	args := []string{"controlvm", "default", "natpf1", "bench,tcp,127.0.0.1,2376,,2376"}
	if what == "delete" {
		args = []string{"controlvm", "default", "natpf1", "delete", "bench"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := b.lab.VBoxManage(ctx, args...)
	b.must(err)
}

// add prints a figure for the page; one that misses its goal is no failure, because the
// computer may be busy.
func (b *bench) add(r Row) {
	b.rows = append(b.rows, r)
	verdict := ""
	if r.Missed {
		verdict = " MISSED"
	}
	b.Logf("%-32s %s   %s%s", r.What, r.Figure, r.Goal, verdict)
}

// report is the time of a figure, as a multiple of its floor's.
func (b *bench) report(f, floor *figure) {
	r := Row{What: "`" + f.name + "`", Figure: fmt.Sprintf("%.2f ms", ms(f.median()))}
	if f.goal > 0 {
		ratio := ms(f.median()) / ms(floor.median())
		r.Figure += fmt.Sprintf(", %.2f × `%s`", ratio, floor.name)
		r.Goal, r.Missed = fmt.Sprintf("%.2f ×", f.goal), ratio > f.goal
	}
	b.add(r)
}

// peak is the most memory that a program has.
func (b *bench) peak(f *figure) {
	if f.memory == 0 {
		return
	}
	var peaks []float64
	for range restarts {
		_, out := b.output(append([]string{b.path("peak")}, f.argv...)...)
		kib, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
		b.must(err)
		peaks = append(peaks, kib/1024)
	}
	most := slices.Max(peaks)
	b.add(Row{What: "`" + f.name + "`, memory", Figure: fmt.Sprintf("%.1f MiB at most", most), Goal: fmt.Sprintf("%.0f MiB", f.memory), Missed: most > f.memory})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (b *bench) calls() int {
	b.Helper()
	data, err := os.ReadFile(filepath.Join(b.lab.Dir(), "vbox", "calls.log"))
	b.must(err)
	return bytes.Count(data, []byte("\n"))
}

func (b *bench) logins() int {
	b.Helper()
	n, err := b.vm.Logins()
	b.must(err)
	return n
}
