//go:build e2e && linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// singles is how many containers come and go one by one.
	singles = 50
	// many is how many containers are started in a row, and at once.
	many = 100
	// webPort is the first port that they publish.
	webPort = 9000
)

// TestBenchFirstAnswer measures, with the VPN connected, how long it takes from docker run's return
// to a container's first answer on localhost, and from docker rm's to a connection that is refused.
func TestBenchFirstAnswer(t *testing.T) {
	b := &relayBench{bench: setUp(t)}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	b.must(b.vm.ImportBusybox(ctx))
	b.output(b.helper("fix", "default")...)
	b.follow = b.lab.Command(ctx, b.helper("ports", "follow", "default")...)
	b.must(b.follow.Start())
	b.web(ctx, 0)
	b.firstAnswer(0, b.localhost)
	b.gone(ctx, 0)

	var added, removed []time.Duration
	for i := range singles {
		b.web(ctx, i)
		added = append(added, b.firstAnswer(i, b.localhost))
		removed = append(removed, b.gone(ctx, i))
	}
	b.times("docker run to the first answer, one by one", added, 20, 60)
	b.times("docker rm to refused", removed, 0, 50)

	added = make([]time.Duration, many)
	var asking sync.WaitGroup
	for i := range many {
		b.web(ctx, i)
		asking.Go(func() { added[i] = b.firstAnswer(i, b.localhost) })
	}
	asking.Wait()
	b.times(fmt.Sprintf("docker run to the first answer, %d in a loop", many), added, 40, 150)
	for i := range many {
		b.gone(ctx, i)
	}

	what := fmt.Sprintf("docker run to the first answer, %d at once", many)
	b.times(what, b.atOnce(ctx, b.localhost), 150, 500)
	for i := range many {
		b.gone(ctx, i)
	}
	// What the containers take by themselves, on the same processors.
	b.times(what+", straight to the VM", b.atOnce(ctx, b.vm.DialNAT), 0, 0)
	if *update {
		b.must(Write("../../../docs/benchmarks.md", Section{Title: FirstAnswers, Command: "make bench", Rows: b.rows}, Machine()))
	}
}

// dialer connects to a published port.
type dialer func(ctx context.Context, port int) (net.Conn, error)

func (b *relayBench) localhost(ctx context.Context, port int) (net.Conn, error) {
	return b.lab.Laptop().Dial(ctx, net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
}

// atOnce starts all containers at once, and takes the time of each one's first answer.
func (b *relayBench) atOnce(ctx context.Context, dial dialer) []time.Duration {
	added := make([]time.Duration, many)
	var asking sync.WaitGroup
	for i := range many {
		asking.Go(func() {
			b.web(ctx, i)
			added[i] = b.firstAnswer(i, dial)
		})
	}
	asking.Wait()
	return added
}

// times adds a row with the median and the 99th percentile; a goal of 0 ms is none.
func (b *relayBench) times(what string, all []time.Duration, median, most float64) {
	slices.Sort(all)
	p50, p99 := ms(all[len(all)/2]), ms(all[(99*len(all)+99)/100-1]) // the smallest that 99 of 100 do not exceed
	b.Logf("the slowest: %v", all[len(all)-5:])
	goal := ""
	switch {
	case median > 0:
		goal = fmt.Sprintf("p50 %.0f ms, p99 %.0f ms", median, most)
	case most > 0:
		goal = fmt.Sprintf("p99 %.0f ms", most)
	}
	b.row(what, fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", p50, p99), goal, median > 0 && p50 > median || most > 0 && p99 > most)
}

// web starts a container with a web server.
func (b *relayBench) web(ctx context.Context, i int) {
	_, err := b.vm.Docker(ctx, "run", "-d", "--stop-signal=KILL", "--name", fmt.Sprintf("web%d", i), "-p", fmt.Sprintf("%d:80", webPort+i),
		"busybox", "httpd", "-f", "-p", "80", "-h", "/tmp")
	if err != nil {
		b.Errorf("docker run: %v", err)
	}
}

// firstAnswer asks a container until it answers.
func (b *relayBench) firstAnswer(i int, dial dialer) time.Duration {
	began := time.Now()
	for b.ask(i, dial) != nil {
		if time.Since(began) > time.Minute {
			b.Errorf("container %d does not answer", i)
			break
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// gone removes a container, and asks until the connection is refused.
func (b *relayBench) gone(ctx context.Context, i int) time.Duration {
	_, err := b.vm.Docker(ctx, "rm", "-f", fmt.Sprintf("web%d", i))
	b.must(err)
	began := time.Now()
	for !errors.Is(b.ask(i, b.localhost), syscall.ECONNREFUSED) {
		if time.Since(began) > time.Minute {
			b.Fatalf("container %d still answers", i)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// ask is nil if the web server answers.
func (b *relayBench) ask(i int, dial dialer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := dial(ctx, webPort+i)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 4))
	return err
}
