package dockerd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// PingRequest asks for /_ping on a connection that is not used again.
const PingRequest = "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"

// ProxyPing is PingRequest for an HTTP proxy, which forwards it to addr.
func ProxyPing(addr string) (request string) {
	return fmt.Sprintf("GET http://%s/_ping HTTP/1.1\r\nHost: %[1]s\r\nConnection: close\r\n\r\n", addr)
}

// Ping sends a request for /_ping on a connection, which is not used again, and returns the
// API version that the daemon names; "" from one older than 1.13.
func Ping(ctx context.Context, conn net.Conn, request string) (api string, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// A write that fails leaves the reason to be read: a TLS server's last alert, or what
	// another program than dockerd sent before it closed the connection.
	_, writeErr := io.WriteString(conn, request)
	api, err = ReadPing(bufio.NewReader(io.LimitReader(conn, maxBody)))
	var broken *readError
	if errors.As(err, &broken) {
		err = broken.err
		if writeErr != nil && !rejected(err) {
			err = writeErr
		}
		return "", explain(ctx, err)
	}
	return api, err
}

// readError is an error of the connection. Ping tells it from an answer that is not dockerd's:
// only the former may come from a write that failed.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// status is how an answer begins.
var status = []byte("HTTP/")

// ReadPing reads the answer to PingRequest, and returns the API version that the daemon
// names; "" from one older than 1.13. Any other text is a *NotDockerError at once: who
// greets first may wait for an answer to that, and never end its line.
func ReadPing(r *bufio.Reader) (api string, err error) {
	first, err := r.Peek(len(status))
	if len(first) > 0 && !bytes.HasPrefix(status, first) {
		text, _ := r.Peek(min(r.Buffered(), 60))
		return "", &NotDockerError{Text: fmt.Sprintf("it sends %q", text)}
	}
	if err != nil {
		return "", &readError{err}
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		if strings.Contains(err.Error(), "malformed HTTP") {
			return "", &NotDockerError{Text: err.Error()}
		}
		return "", &readError{err}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 512))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", &readError{err}
	}
	return pinged(answer, body)
}
