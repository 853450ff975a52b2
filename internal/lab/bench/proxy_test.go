//go:build e2e && linux

package bench

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	proxyRounds = 5
	// burstTime is how long requests and handshakes are counted, bulk how much is sent for a transfer.
	burstTime = 1500 * time.Millisecond
	bulk      = 256 << 20
)

// work is one kind of load. Its value is per second.
type work struct {
	name string
	do   func(*proxyBench, *contender) float64
	// goals of proxy and of proxy --read-only, ÷ nginx; 0 is none.
	goal, readOnly float64
}

var works = []work{
	{"keep-alive requests", (*proxyBench).keepAlive, 1.4, 1},
	{"new TLS connections", (*proxyBench).handshakes, 1.2, 0},
	{"MiB down", (*proxyBench).down, 2.4, 0},
	{"MiB up", (*proxyBench).up, 1.05, 0},
}

// contender is a proxy in front of the same socket.
type contender struct {
	name, addr string
	cmd        *exec.Cmd
	got        [][]float64 // by work
	done, cpu  []float64   // how much, and seconds of processor for it, by work
}

type proxyBench struct {
	*testing.T
	dir    string
	config *tls.Config
	all    []*contender
}

// TestBenchProxy measures proxy side by side with nginx and ghostunnel, in front of the same
// socket. A busy computer is no failure: goals that are missed are printed.
func TestBenchProxy(t *testing.T) {
	b := &proxyBench{T: t, dir: t.TempDir()}
	helper := filepath.Join(b.dir, "docker-vpn-helper")
	b.output(append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", helper, "../../../cmd/docker-vpn-helper")
	b.output(nil, helper, "proxy", "init", b.path("certs"))
	b.clientConfig()
	b.upstream()

	own := []string{helper, "proxy", "-H", "local", "--certs", b.path("certs"), "--listen"}
	b.start("proxy", func(addr string) []string { return append(slices.Clone(own), addr) })
	b.start("proxy --read-only", func(addr string) []string { return append(slices.Clone(own), addr, "--read-only") })
	for _, n := range nginxes {
		b.start(n[0], func(addr string) []string { return b.nginx(addr, n[0], n[1], n[2]) })
	}
	if program, err := b.ghostunnel(); err != nil {
		t.Logf("ghostunnel is not measured: %v", err)
	} else {
		b.start("ghostunnel", func(addr string) []string {
			return []string{program, "server", "--listen", addr, "--target", "unix:" + b.path("d.sock"), "--allow-all", "--quiet", "all",
				"--cert", b.path("certs/server.pem"), "--key", b.path("certs/server-key.pem"), "--cacert", b.path("certs/ca.pem")}
		})
	}
	for range proxyRounds {
		for _, i := range rand.Perm(len(b.all)) {
			b.measure(b.all[i])
		}
	}
	rows := b.report()
	if *update {
		b.must(Write("../../../docs/benchmarks.md", Section{Title: Proxies, Command: "make bench", Rows: rows}, Machine()))
	}
}

func (b *proxyBench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *proxyBench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *proxyBench) output(env []string, argv ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), argv[0], argv[1:]...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

func (b *proxyBench) clientConfig() {
	ca, err := os.ReadFile(b.path("certs/ca.pem"))
	b.must(err)
	pair, err := tls.LoadX509KeyPair(b.path("certs/cert.pem"), b.path("certs/key.pem"))
	b.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	b.config = &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{pair},
		// The same for all: Debian's nginx has no post-quantum key exchange, which costs more.
		CurvePreferences: []tls.CurveID{tls.X25519}}
}

// start starts a proxy, in a process group of its own.
func (b *proxyBench) start(name string, argv func(addr string) []string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	c := &contender{name: name, addr: l.Addr().String(), got: make([][]float64, len(works)), done: make([]float64, len(works)), cpu: make([]float64, len(works))}
	b.must(l.Close())
	args := argv(c.addr)
	c.cmd = exec.CommandContext(b.Context(), args[0], args[1:]...)
	c.cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+b.path("d.sock"))
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.Stderr = os.Stderr
	b.must(c.cmd.Start())
	b.Cleanup(func() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		_ = c.cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", c.addr)
		if err == nil {
			b.must(conn.Close())
			break
		}
		if time.Now().After(end) {
			b.Fatalf("%s does not listen: %v", name, err)
		}
	}
	b.all = append(b.all, c)
}

// measure is one turn.
func (b *proxyBench) measure(c *contender) {
	for i, w := range works {
		if c.name == "proxy --read-only" && w.readOnly == 0 {
			continue
		}
		before, began := b.processor(c), time.Now()
		v := w.do(b, c)
		c.got[i] = append(c.got[i], v)
		c.done[i] += v * time.Since(began).Seconds()
		c.cpu[i] += b.processor(c) - before
	}
}

// dial is a connection with the client certificate.
func (b *proxyBench) dial(c *contender) *tls.Conn {
	conn, err := tls.Dial("tcp", c.addr, b.config)
	b.must(err)
	b.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

// burst counts what n clients do at once. each is one client, which counts by once.
func (b *proxyBench) burst(n int, each func(more func() bool)) float64 {
	var count atomic.Int64
	began := time.Now()
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			each(func() bool { count.Add(1); return time.Since(began) < burstTime })
		})
	}
	clients.Wait()
	return float64(count.Load()) / time.Since(began).Seconds()
}

func (b *proxyBench) keepAlive(c *contender) float64 {
	return b.burst(8, func(more func() bool) {
		conn := b.dial(c)
		defer conn.Close()
		for r := bufio.NewReader(conn); more(); {
			b.ask(conn, r, ping, false)
		}
	})
}

func (b *proxyBench) handshakes(c *contender) float64 {
	return b.burst(8, func(more func() bool) {
		for more() {
			conn := b.dial(c)
			b.ask(conn, bufio.NewReader(conn), ping, false)
			_ = conn.Close()
		}
	})
}

func (b *proxyBench) down(c *contender) float64 {
	conn := b.dial(c)
	defer conn.Close()
	began := time.Now()
	b.ask(conn, bufio.NewReaderSize(conn, 64<<10), strings.Replace(ping, "_ping", "down", 1), false)
	return bulk / (1 << 20) / time.Since(began).Seconds()
}

func (b *proxyBench) up(c *contender) float64 {
	conn := b.dial(c)
	defer conn.Close()
	began := time.Now()
	b.ask(conn, bufio.NewReader(conn), fmt.Sprintf("POST /up HTTP/1.1\r\nHost: docker\r\nContent-Length: %d\r\n\r\n", bulk), true)
	return bulk / (1 << 20) / time.Since(began).Seconds()
}
