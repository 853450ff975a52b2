//go:build e2e && linux

package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
)

const (
	relayRounds = 7
	// relayTime is how long one kind of load is measured.
	relayTime = time.Second
	// published is how many ports the container publishes.
	published = 300
	firstPort = 7081
)

// relayBench measures ports follow and ssh -L, to the same container.
type relayBench struct {
	*bench
	follow *exec.Cmd
	rows   []Row
}

// load is one kind of it. Its value is per second, at a relay whose ports begin at base.
type load struct {
	name    string
	clients int
	do      func(b *relayBench, base int, end time.Time) int
	goal    float64 // ÷ ssh -L
}

var loads = []load{
	{"bytes down, 1 stream", 1, (*relayBench).down, 1},
	{"bytes down, 8 streams", 8, (*relayBench).down, 0.9},
	{"bytes up, 1 stream", 1, (*relayBench).up, 1.3},
	{"bytes up, 8 streams", 8, (*relayBench).up, 1.3},
	{"round trips, 1 client", 1, (*relayBench).trips, 1},
	{"round trips, 8 clients", 8, (*relayBench).trips, 1},
	{"new connections, 1 client", 1, (*relayBench).connections, 2},
	{"new connections, 8 clients", 8, (*relayBench).connections, 0.75},
}

// TestBenchRelay measures published ports. A busy computer is no failure: goals that are missed
// are printed.
func TestBenchRelay(t *testing.T) {
	b := &relayBench{bench: setUp(t)}
	b.direct()
	b.container()
	b.start()
	got := map[bool][][]float64{true: make([][]float64, len(loads)), false: make([][]float64, len(loads))}
	for round := range relayRounds {
		for i, l := range loads {
			for _, own := range []bool{round%2 == 0, round%2 != 0} {
				got[own][i] = append(got[own][i], b.measure(l, own))
			}
		}
	}
	for i, l := range loads {
		own, ssh := middle(got[true][i]), middle(got[false][i])
		b.row(l.name, fmt.Sprintf("%.0f /s, %.2f × ssh -L", own, own/ssh), fmt.Sprintf("%.2f × ssh -L", l.goal), own/ssh < l.goal)
	}
	b.memory()
	if *update {
		b.must(Write("../../../docs/benchmarks.md", Section{Title: Relay, Command: "make bench", Rows: b.rows}, Machine()))
	}
}

func (b *relayBench) row(what, figure, goal string, missed bool) {
	b.Logf("%-28s %s; goal %s, missed: %t", what, figure, goal, missed)
	b.rows = append(b.rows, Row{What: what, Figure: figure, Goal: goal, Missed: missed})
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// direct makes the host-only address the way to sshd: the NAT of the lab is a stand-in, and copies
// bytes itself.
func (b *relayBench) direct() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.must(b.lab.VPN().Disconnect(ctx))
	_, err := b.lab.VBoxManage(ctx, "hostonlyif", "ipconfig", lab.Adapter, "--ip", "192.168.99.1", "--netmask", "255.255.255.0")
	b.must(err)
	_, err = b.lab.VBoxManage(ctx, "controlvm", "default", "natpf1", "delete", "ssh")
	b.must(err)
}

// container runs the far end, with many published ports.
func (b *relayBench) container() {
	cmd := exec.Command("go", "build", "-trimpath", "-o", b.path("ends"), "./ends")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(b.path("ends"))
	b.must(err)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	b.must(b.vm.WriteFile("/usr/local/bin/ends", program, 0o755))
	b.must(b.vm.ImportBusybox(ctx))
	_, err = b.vm.Docker(ctx, "run", "-d", "-v", "/usr/local/bin/ends:/ends:ro", "-p", fmt.Sprintf("%d-%d:81-%d", firstPort, firstPort+published-1, 80+published), "busybox", "/ends")
	b.must(err)
}

// start starts both relays: ports follow at 7081 and on, ssh at 6081 and on.
func (b *relayBench) start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	b.follow = b.lab.Command(ctx, b.helper("ports", "follow", "default")...)
	b.must(b.follow.Start())
	argv := []string{"ssh", "-F", "/dev/null", "-N", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes",
		"-i", filepath.Join(b.m.Dir, "id_rsa")}
	for port := range 4 {
		// The address that ports follow connects to as well, past docker's proxy process.
		argv = append(argv, "-L", fmt.Sprintf("%d:%s:%d", firstPort-1000+port, b.m.IP, firstPort+port))
	}
	b.must(b.lab.Command(ctx, append(argv, "docker@"+b.m.IP)...).Start())
	for _, base := range []int{firstPort, firstPort - 1000} {
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			conn, err := b.lab.Laptop().Dial(ctx, fmt.Sprintf("127.0.0.1:%d", base+2))
			if err == nil && trip(conn) == nil {
				b.must(conn.Close())
				break
			}
			if time.Now().After(end) {
				b.Fatalf("nothing answers at port %d: %v", base+2, err)
			}
		}
	}
}

func (b *relayBench) measure(l load, own bool) float64 {
	base := firstPort - 1000
	if own {
		base = firstPort
	}
	var sum atomic.Int64
	var clients sync.WaitGroup
	began := time.Now()
	for range l.clients {
		clients.Go(func() { sum.Add(int64(l.do(b, base, began.Add(relayTime)))) })
	}
	clients.Wait()
	return float64(sum.Load()) / time.Since(began).Seconds()
}

func (b *relayBench) dial(port int) net.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := b.lab.Laptop().Dial(ctx, fmt.Sprintf("127.0.0.1:%d", port))
	b.must(err)
	b.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

func (b *relayBench) down(base int, end time.Time) (n int) {
	conn := b.dial(base)
	defer conn.Close()
	for buf := make([]byte, 64<<10); time.Now().Before(end); {
		got, err := conn.Read(buf)
		b.must(err)
		n += got
	}
	return n
}

// up counts what has arrived.
func (b *relayBench) up(base int, end time.Time) int {
	conn := b.dial(base + 1)
	defer conn.Close()
	for time.Now().Before(end) {
		_, err := conn.Write(zeros)
		b.must(err)
	}
	b.must(conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	b.must(err)
	n, err := strconv.Atoi(string(answer))
	b.must(err)
	return n
}

func (b *relayBench) trips(base int, end time.Time) (n int) {
	conn := b.dial(base + 2)
	defer conn.Close()
	for ; time.Now().Before(end); n++ {
		b.must(trip(conn))
	}
	return n
}

func trip(conn net.Conn) error {
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// connections are requests as curl makes them: the server ends each.
func (b *relayBench) connections(base int, end time.Time) (n int) {
	for ; time.Now().Before(end); n++ {
		conn := b.dial(base + 3)
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		b.must(err)
		answer, err := io.ReadAll(conn)
		b.must(err)
		if !strings.HasSuffix(string(answer), "hello\n") {
			b.Fatalf("got %q", answer)
		}
		b.must(conn.Close())
	}
	return n
}

// memory measures what a run that has carried nothing yet has in memory, and its processor while
// nothing happens.
func (b *relayBench) memory() {
	b.must(b.follow.Process.Signal(os.Interrupt))
	_ = b.follow.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	b.follow = b.lab.Command(ctx, b.helper("ports", "follow", "default")...)
	out, err := b.follow.StdoutPipe()
	b.must(err)
	b.must(b.follow.Start())
	for lines, text, buf := 0, "", make([]byte, 4<<10); lines < published; lines = strings.Count(text, "\n+ ") + 1 {
		n, err := out.Read(buf)
		b.must(err)
		text += string(buf[:n])
	}
	pid := strconv.Itoa(b.follow.Process.Pid)
	time.Sleep(time.Second)
	b.resident(pid, fmt.Sprintf("memory, %d listeners", published), 24)
	const while = 20 * time.Second
	before := b.worked(pid)
	time.Sleep(while)
	idle := b.worked(pid) - before
	b.row("processor while idle", fmt.Sprintf("%.1f ms in %s", ms(idle), while), "0.02 %", idle > while/5000)
	for range 1000 {
		conn := b.dial(firstPort + 2)
		defer conn.Close()
		b.must(trip(conn))
	}
	b.resident(pid, "memory, 1,000 idle connections", 48)
	for range 50 {
		conn := b.dial(firstPort)
		defer conn.Close()
	}
	time.Sleep(5 * time.Second)
	b.resident(pid, "memory, 50 stalled readers more", 192)
}

// worked is how long a process has had a processor: the first field of each thread's schedstat, in
// nanoseconds. Threads that have ended are missing.
func (b *relayBench) worked(pid string) (sum time.Duration) {
	threads, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	b.must(err)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		b.must(err)
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		b.must(err)
		sum += time.Duration(n)
	}
	return sum
}

func (b *relayBench) resident(pid, what string, goal int) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	b.must(err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	b.must(err)
	b.row(what, fmt.Sprintf("%d MiB", kib>>10), fmt.Sprintf("%d MiB", goal), kib > goal<<10)
}
