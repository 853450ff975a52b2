//go:build e2e && linux

package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// What is on both sides of the proxies knows just enough of HTTP, so that most of the time is
// theirs.

var zeros = make([]byte, 64<<10)

// readers are kept, as dockerd's HTTP server keeps them: some proxies make a connection for each request.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, len(zeros)) }}

// ping is what docker sends first, pong dockerd's answer (Engine API, Ping), but for the body's length and the body.
const (
	ping = "GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.2.2 (linux)\r\nAccept-Encoding: gzip\r\n\r\n"
	pong = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nBuilder-Version: 2\r\nCache-Control: no-cache, no-store, must-revalidate\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\nDocker-Experimental: false\r\nOstype: linux\r\n" +
		"Pragma: no-cache\r\nServer: Docker/20.10.24 (linux)\r\nSwarm: inactive\r\nContent-Length: "
)

// upstream is in dockerd's place.
func (b *proxyBench) upstream() {
	l, err := net.Listen("unix", b.path("d.sock"))
	b.must(err)
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := readers.Get().(*bufio.Reader)
				defer readers.Put(r)
				for r.Reset(conn); answer(conn, r) == nil; {
				}
			}()
		}
	}()
}

// answer answers one request.
func answer(w io.Writer, r *bufio.Reader) error {
	first, length, err := head(r)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
		return err
	}
	if !strings.HasPrefix(first, "GET /down ") {
		_, err := io.WriteString(w, pong+"2\r\n\r\nOK")
		return err
	}
	size := bulk
	if _, err := fmt.Fprintf(w, "%s%d\r\n\r\n", pong, size); err != nil {
		return err
	}
	for ; size > 0; size -= len(zeros) {
		if _, err := w.Write(zeros); err != nil {
			return err
		}
	}
	return nil
}

// head reads the first line and the headers, of which Content-Length counts.
func head(r *bufio.Reader) (first string, length int, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case first == "":
			first = text
		case text == "":
			return first, length, nil
		case len(text) > 15 && strings.EqualFold(text[:15], "Content-Length:"):
			if length, err = strconv.Atoi(strings.TrimSpace(text[15:])); err != nil {
				return "", 0, err
			}
		}
	}
}

// ask sends a request, a body of zeros if it has one, and reads the answer.
func (b *proxyBench) ask(w io.Writer, r *bufio.Reader, request string, body bool) {
	_, err := io.WriteString(w, request)
	b.must(err)
	for sent := 0; body && sent < bulk; sent += len(zeros) {
		_, err = w.Write(zeros)
		b.must(err)
	}
	status, length, err := head(r)
	b.must(err)
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		b.Fatal(status)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	b.must(err)
}
