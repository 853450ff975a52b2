//go:build e2e && linux

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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
		conn := machine.dial(b, 2)
		defer conn.Close()
		b.must(trip(conn))
	}
	b.resident(pid, "memory, 1,000 idle connections", 48)
	for range 50 {
		conn := machine.dial(b, 0)
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
