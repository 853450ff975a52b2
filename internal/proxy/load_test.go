package proxy

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A client that is killed frees both sockets, whether or not it had ended its direction.
func TestClientIsKilled(t *testing.T) {
	for _, c := range []struct {
		name string
		kill func(*tls.Conn, *net.TCPConn)
	}{
		{"FIN without close_notify", func(_ *tls.Conn, raw *net.TCPConn) { raw.Close() }},
		{"reset", func(_ *tls.Conn, raw *net.TCPConn) { _ = raw.SetLinger(0); raw.Close() }},
		{"FIN long after close_notify", func(c *tls.Conn, raw *net.TCPConn) {
			_ = c.CloseWrite()
			time.Sleep(halfClose + 100*time.Millisecond)
			raw.Close()
		}},
		{"reset after close_notify", func(c *tls.Conn, raw *net.TCPConn) {
			_ = c.CloseWrite()
			time.Sleep(50 * time.Millisecond)
			_ = raw.SetLinger(0)
			raw.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			silent := make(chan struct{})
			r := newRig(t, Options{}, func(u *net.UnixConn) {
				_, _ = io.Copy(io.Discard, u)
				<-silent // it sends nothing, and it does not close
			})
			defer close(silent)
			raw := r.tcp()
			client := tls.Client(raw, r.config(r.cert))
			_, err := io.WriteString(client, "x")
			must(t, err)
			time.Sleep(20 * time.Millisecond)
			began := time.Now()
			c.kill(client, raw)
			r.logged(1)
			if took := time.Since(began) - halfClose; took > 2*time.Second {
				t.Errorf("the connection ended after %s", took)
			}
		})
	}
}

// Some TLS libraries end TCP's direction with TLS's. Output still comes.
func TestClientEndsTCPsDirection(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{}, func(c *net.UnixConn) {
		_, _ = io.Copy(io.Discard, c)
		time.Sleep(2 * halfClose)
		_, _ = io.WriteString(c, "late")
	})
	raw := r.tcp()
	c := tls.Client(raw, r.config(r.cert))
	_, err := io.WriteString(c, "x")
	must(t, err)
	must(t, c.CloseWrite())
	must(t, raw.CloseWrite())
	if got, err := io.ReadAll(c); err != nil || string(got) != "late" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Clients that connect and send nothing, or finish TLS and send nothing, keep no one out.
func TestSilentClients(t *testing.T) {
	r := newRig(t, Options{MaxConnections: 20}, dockerd)
	for i := range 200 {
		c := r.tcp()
		if i%2 == 0 {
			must(t, tls.Client(c, r.config(r.cert)).Handshake())
		}
	}
	for range 20 {
		if status, text := get(t, r.dial(r.cert), request); status != 200 {
			t.Fatalf("got %d %q", status, text)
		}
	}
	r.logged(100) // the oldest ones were closed
}

// short has the deadlines that a test waits for; the others are those of the program, so that a
// busy computer makes no difference.
func short(change func(*times)) func(*Server) {
	return func(s *Server) { change(&s.times) }
}

func TestDeadlines(t *testing.T) {
	t.Run("handshake", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{}, dockerd, short(func(t *times) { t.handshake = 50 * time.Millisecond }))
		r.tcp()
		if e := r.logged(1); e.Reason != "no TLS handshake within 50ms" {
			t.Errorf("event %+v", e)
		}
	})
	t.Run("request", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{}, dockerd, short(func(t *times) { t.head = 50 * time.Millisecond }))
		r.dial(r.cert)
		if e := r.logged(1); e.Reason != "no request within 50ms" {
			t.Errorf("event %+v", e)
		}
	})
	const head = 2 * time.Second
	t.Run("rest of a head", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{ReadOnly: true}, dockerd, short(func(t *times) { t.head = head }))
		c := r.dial(r.cert)
		_, err := io.WriteString(c, "GET / HTT")
		must(t, err)
		if e := r.logged(1); e.Took < head || e.In != 0 || e.Out != 0 || e.Reason == "" {
			t.Errorf("event %+v", e)
		}
	})
	t.Run("a stream that is idle has none", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{ReadOnly: true}, dockerd, short(func(t *times) { t.head = head }))
		c := r.dial(r.cert)
		for range 2 {
			if status, text := get(t, c, request); status != 200 {
				t.Fatalf("got %d %q", status, text)
			}
			time.Sleep(head + 500*time.Millisecond)
		}
	})
}

func TestMaxConnections(t *testing.T) {
	r := newRig(t, Options{MaxConnections: 2}, dockerd, func(s *Server) { s.times.slot = time.Second })
	first, second := r.dial(r.cert), r.dial(r.cert)
	for _, c := range []*tls.Conn{first, second} {
		if status, _ := get(t, c, request); status != 200 {
			t.Fatal(status)
		}
	}
	began := time.Now()
	status, reason := get(t, r.dial(r.cert), request)
	if took := time.Since(began); status != 503 || !strings.Contains(reason, "--max-connections") || took < time.Second {
		t.Errorf("got %d %q after %s", status, reason, took)
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = first.Close()
	}()
	if status, reason := get(t, r.dial(r.cert), request); status != 200 {
		t.Errorf("a client that has waited gets %d %q", status, reason)
	}
}

// Many clients at once, each with its own data, in both directions.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, Options{MaxConnections: 30}, func(c *net.UnixConn) {
		_, _ = io.Copy(c, c)
		_ = c.CloseWrite()
	})
	var wg sync.WaitGroup
	for range 60 { // half of them wait
		wg.Go(func() {
			c := tls.Client(r.tcp(), r.config(r.cert))
			data := strings.Repeat(rand.Text(), 1000)
			go func() {
				_, _ = io.WriteString(c, data)
				_ = c.CloseWrite()
			}()
			got, err := io.ReadAll(bufio.NewReader(c))
			if err != nil || string(got) != data {
				t.Errorf("got %d bytes of %d: %v", len(got), len(data), err)
			}
			_ = c.Close()
		})
	}
	wg.Wait()
	if e := r.logged(60); e.Reason != "" {
		t.Errorf("event %+v", e)
	}
}
