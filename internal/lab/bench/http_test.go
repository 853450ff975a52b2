//go:build e2e && linux

package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// What is on both sides of the proxies knows just enough of HTTP, so that most of the time is
// theirs.

var zeros = make([]byte, 64<<10)

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
				for r := bufio.NewReaderSize(conn, len(zeros)); answer(conn, r) == nil; {
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
	size := 0
	if strings.HasPrefix(first, "GET /down ") {
		size = bulk
	}
	if _, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size); err != nil {
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
