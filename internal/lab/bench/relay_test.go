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

// way is a relay: where its ports begin on the laptop.
type way struct {
	name, ip string
	first    int
}

var (
	machine = way{"", "127.0.0.1", firstPort}
	overSSH = way{", ssh://", "127.0.0.2", firstPort} // through the user's own ssh
	forward = way{"ssh -L", "127.0.0.1", firstPort - 1000}
	ways    = []way{machine, overSSH, forward}
)

// relayBench measures ports follow and ssh -L, to the same container.
type relayBench struct {
	*bench
	follow *exec.Cmd
	rows   []Row
}

// load is one kind of it. Its value is per second.
type load struct {
	name    string
	clients int
	do      func(b *relayBench, to way, end time.Time) int
	goal    float64 // ÷ ssh -L
	overSSH float64 // the goal of ssh://; 0 is none
}

var loads = []load{
	{"bytes down, 1 stream", 1, (*relayBench).down, 1, 0.8},
	{"bytes down, 8 streams", 8, (*relayBench).down, 0.9, 0.8},
	{"bytes up, 1 stream", 1, (*relayBench).up, 1.3, 0.8},
	{"bytes up, 8 streams", 8, (*relayBench).up, 1.3, 0.8},
	{"round trips, 1 client", 1, (*relayBench).trips, 1, 0},
	{"round trips, 8 clients", 8, (*relayBench).trips, 1, 0},
	{"new connections, 1 client", 1, (*relayBench).connections, 2, 0},
	{"new connections, 8 clients", 8, (*relayBench).connections, 0.75, 0},
}

// TestBenchRelay measures published ports. A busy computer is no failure: goals that are missed
// are printed.
func TestBenchRelay(t *testing.T) {
	b := &relayBench{bench: setUp(t)}
	b.direct()
	b.container()
	b.start()
	got := map[way][][]float64{}
	for _, to := range ways {
		got[to] = make([][]float64, len(loads))
	}
	for round := range relayRounds {
		order := slices.Clone(ways)
		if round%2 != 0 {
			slices.Reverse(order)
		}
		for i, l := range loads {
			for _, to := range order {
				got[to][i] = append(got[to][i], b.measure(l, to))
			}
		}
	}
	for _, own := range []way{machine, overSSH} {
		for i, l := range loads {
			value, ssh := middle(got[own][i]), middle(got[forward][i])
			goal := map[way]float64{machine: l.goal, overSSH: l.overSSH}[own]
			text := "–"
			if goal > 0 {
				text = fmt.Sprintf("%.2f × ssh -L", goal)
			}
			b.row(l.name+own.name, fmt.Sprintf("%.0f /s, %.2f × ssh -L", value, value/ssh), text, value/ssh < goal)
		}
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

// start starts the relays.
func (b *relayBench) start() {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	b.follow = b.lab.Command(ctx, b.helper("ports", "follow", "default")...)
	b.must(b.follow.Start())
	identity := filepath.Join(b.m.Dir, "id_rsa")
	argv := []string{"ssh", "-F", "/dev/null", "-N", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes",
		"-i", identity}
	for port := range 4 {
		// The address that ports follow connects to as well, past docker's proxy process.
		argv = append(argv, "-L", fmt.Sprintf("%d:%s:%d", forward.first+port, b.m.IP, firstPort+port))
	}
	b.must(b.lab.Command(ctx, append(argv, "docker@"+b.m.IP)...).Start())
	// The user's own ssh reads no configuration of this computer.
	config, wrapper := b.path("ssh_config"), filepath.Join(b.lab.Dir(), "bin", "ssh")
	b.must(os.WriteFile(config, fmt.Appendf(nil, "IdentityFile %s\nIdentityAgent none\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n", identity), 0o600))
	b.must(os.WriteFile(wrapper, []byte("#!/bin/sh\nexec /usr/bin/ssh -F "+config+" \"$@\"\n"), 0o755))
	b.must(b.lab.Command(ctx, b.helper("ports", "follow", "--bind", overSSH.ip, "ssh://docker@"+b.m.IP)...).Start())
	for _, to := range ways {
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			conn, err := b.lab.Laptop().Dial(ctx, to.addr(2))
			if err == nil && trip(conn) == nil {
				b.must(conn.Close())
				break
			}
			if time.Now().After(end) {
				b.Fatalf("nothing answers at %s: %v", to.addr(2), err)
			}
		}
	}
}

func (b *relayBench) measure(l load, to way) float64 {
	var sum atomic.Int64
	var clients sync.WaitGroup
	began := time.Now()
	for range l.clients {
		clients.Go(func() { sum.Add(int64(l.do(b, to, began.Add(relayTime)))) })
	}
	clients.Wait()
	return float64(sum.Load()) / time.Since(began).Seconds()
}

func (w way) addr(port int) string { return fmt.Sprintf("%s:%d", w.ip, w.first+port) }

// dial connects to one of the container's ports.
func (w way) dial(b *relayBench, port int) net.Conn {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := b.lab.Laptop().Dial(ctx, w.addr(port))
	b.must(err)
	b.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

func (b *relayBench) down(to way, end time.Time) (n int) {
	conn := to.dial(b, 0)
	defer conn.Close()
	for buf := make([]byte, 64<<10); time.Now().Before(end); {
		got, err := conn.Read(buf)
		b.must(err)
		n += got
	}
	return n
}

// up counts what has arrived.
func (b *relayBench) up(to way, end time.Time) int {
	conn := to.dial(b, 1)
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

func (b *relayBench) trips(to way, end time.Time) (n int) {
	conn := to.dial(b, 2)
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
func (b *relayBench) connections(to way, end time.Time) (n int) {
	for ; time.Now().Before(end); n++ {
		conn := to.dial(b, 3)
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
