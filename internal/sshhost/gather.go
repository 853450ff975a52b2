package sshhost

import (
	"sync"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// maxUnsent is how much may wait to be sent. Then writers wait, too.
const maxUnsent = 128 << 10

// gatherer sends what many streams write in few system calls: x/crypto/ssh makes one or two for
// each packet, and wakes the server for each. A failure is that of a later write.
type gatherer struct {
	send func([]byte) (int, error)

	mu       sync.Mutex
	changed  *sync.Cond // there is room, or an error
	unsent   []byte
	spare    []byte // becomes unsent while unsent is being sent
	flushing bool
	err      error
}

func newGatherer(send func([]byte) (int, error)) *gatherer {
	g := &gatherer{send: send}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// Write implements io.Writer. p has not been sent when it returns.
func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.unsent) >= maxUnsent && g.err == nil {
		g.changed.Wait()
	}
	if g.err != nil {
		return 0, g.err
	}
	g.unsent = append(g.unsent, p...)
	if !g.flushing {
		g.flushing = true
		go g.flush()
	}
	return len(p), nil
}

// flush sends until nothing is left.
func (g *gatherer) flush() {
	host.Yield() // others may write, too
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.unsent) > 0 && g.err == nil {
		data := g.unsent
		g.unsent = g.spare[:0]
		g.changed.Broadcast()
		g.mu.Unlock()
		_, err := g.send(data)
		g.mu.Lock()
		g.spare, g.err = data, err
	}
	g.flushing = false
	g.changed.Broadcast()
}
