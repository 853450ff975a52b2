package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// passed is what a filter lets through of a client's bytes, which come in pieces of n.
func passed(text []byte, n int) []byte {
	f := &filter{deadline: func(time.Time) error { return nil }, cut: func() {}}
	f.read = func(p []byte) (int, error) {
		if len(text) == 0 {
			return 0, io.EOF
		}
		got := copy(p[:min(n, len(p))], text)
		text = text[got:]
		return got, nil
	}
	out, _ := io.ReadAll(f)
	return out
}

// harmless reports why an HTTP server could do more than read with these bytes.
func harmless(text []byte) error {
	r := bufio.NewReader(bytes.NewReader(text))
	for {
		req, err := http.ReadRequest(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(req.Body)
		switch {
		case err != nil:
			return err
		case len(body) > 0 || req.ContentLength != 0:
			return errors.New("a body")
		case req.Method != "GET" && req.Method != "HEAD":
			return errors.New("method " + req.Method)
		case req.Header.Get("Upgrade") != "" || len(req.TransferEncoding) > 0:
			return errors.New("upgrade or transfer encoding")
		}
	}
}

const (
	host   = "Host: docker\r\n"
	create = "POST /containers/create HTTP/1.1\r\n" + host + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	good   = "GET /_ping HTTP/1.1\r\n" + host + "\r\n"
)

// tries are requests that must not reach dockerd, with the status of the refusal.
var tries = []struct {
	name   string
	text   string
	status int
}{
	{"post", create, 403},
	{"put", strings.Replace(create, "POST", "PUT", 1), 403},
	{"delete", "DELETE /containers/x HTTP/1.1\r\n" + host + "\r\n", 403},
	{"options", "OPTIONS / HTTP/1.1\r\n" + host + "\r\n", 403},
	{"connect", "CONNECT x:1 HTTP/1.1\r\n" + host + "\r\n", 403},
	{"patch", "PATCH / HTTP/1.1\r\n" + host + "\r\n", 403},
	{"lower case method", "get / HTTP/1.1\r\n" + host + "\r\n", 403},
	{"method with a suffix", "GETX / HTTP/1.1\r\n" + host + "\r\n", 403},
	{"http2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403},
	{"pipelined post", good + create, 403},
	{"third of a pipeline", good + good + create, 403},
	{"content length", "GET / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 400},
	{"content length hides a request", "GET / HTTP/1.1\r\n" + host + "Content-Length: 120\r\n\r\n" + create, 400},
	{"two content lengths", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + create, 400},
	{"list of content lengths", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0, 5\r\n\r\n" + create, 400},
	{"signed content length", "GET / HTTP/1.1\r\n" + host + "Content-Length: +0\r\n\r\n" + create, 400},
	{"content length of spaces", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0 0\r\n\r\n" + create, 400},
	{"chunked", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + create, 400},
	{"chunked and content length", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + create, 400},
	{"odd chunked", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + create, 400},
	{"identity", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n" + create, 400},
	{"tab before chunked", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + create, 400},
	{"space before the colon", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + create, 400},
	{"folded header", "GET / HTTP/1.1\r\n" + host + "X: a\r\n Transfer-Encoding: chunked\r\n\r\n" + create, 400},
	{"bare LF ends the head", "GET / HTTP/1.1\n" + host + "\n" + create, 400},
	{"bare LF ends a line", "GET / HTTP/1.1\r\nHost: docker\nX: y\r\n\r\n" + create, 400},
	{"bare LF in a value", "GET / HTTP/1.1\r\n" + host + "X: a\nContent-Length: 300\r\n\r\n" + create, 400},
	{"bare CR in a value", "GET / HTTP/1.1\r\n" + host + "X: a\rContent-Length: 300\r\n\r\n" + create, 400},
	{"bare CR ends the request line", "GET / HTTP/1.1\r" + host + "\r\n\r\n" + create, 400},
	{"NUL in a value", "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n" + create, 400},
	{"header without a name", "GET / HTTP/1.1\r\n" + host + ": x\r\n\r\n" + create, 400},
	{"header without a colon", "GET / HTTP/1.1\r\n" + host + "Content-Length\r\n\r\n" + create, 400},
	{"name that is no token", "GET / HTTP/1.1\r\n" + host + "Content\x01Length: 5\r\n\r\n" + create, 400},
	{"non-ASCII", "GET / HTTP/1.1\r\n" + host + "X: \xe2\x84\xaa\r\n\r\n" + create, 400},
	{"upgrade", "GET /containers/x/attach/ws HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + create, 403},
	{"upgrade without connection", "GET / HTTP/1.1\r\n" + host + "Upgrade: tcp\r\n\r\n", 403},
	{"connection without upgrade", "GET / HTTP/1.1\r\n" + host + "Connection: keep-alive, upgrade\r\n\r\n", 403},
	{"h2c", "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", 403},
	{"hop by hop", "GET / HTTP/1.1\r\n" + host + "Connection: Host\r\n\r\n", 400},
	{"method override", "GET / HTTP/1.1\r\n" + host + "X-HTTP-Method-Override: POST\r\n\r\n", 403},
	{"expect", "GET / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n\r\n" + create, 400},
	{"trailer", "GET / HTTP/1.1\r\n" + host + "Trailer: X\r\n\r\n" + create, 400},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n" + host + "\r\n" + create, 400},
	{"HTTP/0.9", "GET /\r\n\r\n" + create, 400},
	{"HTTP/1.10", "GET / HTTP/1.10\r\n" + host + "\r\n" + create, 400},
	{"request in the target", "GET / HTTP/1.1 POST /x HTTP/1.1\r\n" + host + "\r\n", 400},
	{"tab in the request line", "GET\t/ HTTP/1.1\r\n" + host + "\r\n" + create, 400},
	{"two spaces in the request line", "GET  / HTTP/1.1\r\n" + host + "\r\n" + create, 400},
	{"absolute target", "GET http://docker/ HTTP/1.1\r\n" + host + "\r\n" + create, 400},
	{"empty line first", "\r\n" + create, 400},
	{"space first", " " + create, 400},
	{"no host", "GET / HTTP/1.1\r\n\r\n" + create, 400},
	{"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n" + create, 400},
	{"too large a head", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", maxHead) + "\r\n\r\n", 431},
}

func TestFilterRefuses(t *testing.T) {
	if len(tries) < 40 {
		t.Errorf("%d tries are too few", len(tries))
	}
	for _, try := range tries {
		for _, n := range []int{1, 7, 1 << 20} {
			got := string(passed([]byte(try.text+good), n))
			want := strings.Repeat(good, strings.Count(try.text[:max(0, strings.Index(try.text, create))], good))
			if got != want {
				t.Errorf("%s, pieces of %d: passed %q, want %q", try.name, n, got, want)
			}
		}
	}
}

func TestFilterLetsThrough(t *testing.T) {
	for _, text := range []string{
		good, good + good + good,
		"HEAD /_ping HTTP/1.1\r\n" + host + "User-Agent: Docker-Client/28.2.2 (linux)\r\n\r\n",
		"GET /v1.41/containers/json?filters=%7B%22a%22%3A1%7D HTTP/1.1\r\n" + host + "Accept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nConnection: Close\r\nX-Empty:\r\n\r\n",
	} {
		for _, n := range []int{1, 7, 1 << 20} {
			if got := string(passed([]byte(text), n)); got != text {
				t.Errorf("pieces of %d: passed %q of %q", n, got, text)
			}
		}
	}
}

// Against the proxy and Go's own HTTP server, which dockerd is: the client gets the status,
// dockerd no other method.
func TestReadOnly(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	docker := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Method]++
		_, _ = io.WriteString(w, "OK")
	})}
	go func() { _ = docker.Serve(l) }()
	defer docker.Close()
	r := newRig(t, Options{ReadOnly: true, Dial: func(context.Context) (relay.Stream, error) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}}, dockerd)
	for _, try := range tries {
		t.Run(try.name, func(t *testing.T) {
			c := r.dial(r.cert)
			go func() { _, _ = io.WriteString(c, try.text) }()
			in := bufio.NewReader(c)
			status, reason := response(t, in)
			for status == 200 && reason == "OK" { // to the good requests before it
				status, reason = response(t, in)
			}
			if status != try.status || !strings.HasPrefix(reason, "this proxy is read-only") && status != 431 {
				t.Errorf("got %d %q, want %d", status, reason, try.status)
			}
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 1 || seen["GET"] != 3 {
		t.Errorf("dockerd has seen %v", seen)
	}
}

// A refusal comes behind the answers to the requests before it, and reaches a client that
// is still sending a large body.
func TestReadOnlyLargeBody(t *testing.T) {
	r := newRig(t, Options{ReadOnly: true}, dockerd)
	c := r.dial(r.cert)
	go func() {
		_, _ = io.WriteString(c, good+"POST /build HTTP/1.1\r\n"+host+"Content-Length: 20000000\r\n\r\n")
		_, _ = c.Write(make([]byte, 20000000))
	}()
	in := bufio.NewReader(c)
	if status, _ := response(t, in); status != 200 {
		t.Errorf("the first answer is %d", status)
	}
	if status, reason := response(t, in); status != 403 {
		t.Errorf("the second answer is %d %q", status, reason)
	}
}

func FuzzFilter(f *testing.F) {
	for _, try := range tries {
		if len(try.text) < 2000 {
			f.Add([]byte(try.text), 3)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		whole := passed(text, 1<<20)
		if n > 0 {
			if pieces := passed(text, n); !bytes.Equal(whole, pieces) {
				t.Errorf("at once %q, in pieces %q", whole, pieces)
			}
		}
		if !bytes.HasPrefix(text, whole) {
			t.Errorf("passed %q, which is no beginning of the input", whole)
		}
		if err := harmless(whole); err != nil {
			t.Errorf("passed %q: %v", whole, err)
		}
	})
}
