package proxy

import (
	"container/list"
	"net"
	"sync"
)

// arrivals are the connections whose client is not verified yet or has not sent a request. Their
// number is bounded: if there are too many, the oldest is closed, so that clients that send nothing
// cannot keep others out.
type arrivals struct {
	most int

	mu    sync.Mutex
	queue list.List // of net.Conn, oldest first
}

// enter adds a connection. leave removes it; it may be called more than once.
func (a *arrivals) enter(conn net.Conn) (leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue.Len() >= a.most {
		_ = a.queue.Remove(a.queue.Front()).(net.Conn).Close()
	}
	e := a.queue.PushBack(conn)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.queue.Remove(e) // does nothing if e was removed before
	}
}
