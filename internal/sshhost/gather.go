package sshhost

import (
	"sync"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// maxUnsent is how many bytes may wait to be sent before writers must wait.
const maxUnsent = 128 << 10

// gatherer sends the data of many streams with few system calls: x/crypto/ssh makes one or two for
// each packet, and each wakes the server. An error of sending is returned by a later Write.
type gatherer struct {
	send func([]byte) (int, error)

	mu       sync.Mutex
	changed  *sync.Cond // signals that unsent has room, or that err is set
	unsent   []byte
	spare    []byte // the buffer for unsent while the other one is being sent
	flushing bool
	err      error
}

func newGatherer(send func([]byte) (int, error)) *gatherer {
	g := &gatherer{send: send}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// Write implements io.Writer. When it returns, p may not have been sent yet.
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

// flush sends until unsent is empty.
func (g *gatherer) flush() {
	host.Yield() // let others write first
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
