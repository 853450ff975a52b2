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

// PingRequest is the request for /_ping on a connection that is not used again.
const PingRequest = "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"

// ProxyPing returns PingRequest for an HTTP proxy, which forwards it to addr.
func ProxyPing(addr string) (request string) {
	return fmt.Sprintf("GET http://%s/_ping HTTP/1.1\r\nHost: %[1]s\r\nConnection: close\r\n\r\n", addr)
}

// Ping sends a request for /_ping on a connection, which must not be used again, and returns
// dockerd's API version; "" before Docker 1.13.
func Ping(ctx context.Context, conn net.Conn, request string) (api string, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// If the write fails, the reason may still be readable: a TLS server's last alert, or what
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

// readError is an error of the connection, as opposed to an answer that is not dockerd's. Only a
// readError may be the consequence of a failed write.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// statusStart is the start of an HTTP answer.
var statusStart = []byte("HTTP/")

// ReadPing reads the answer to PingRequest and returns dockerd's API version; "" before Docker
// 1.13. For any other text it returns a *NotDockerError without reading on: a program that sends a
// greeting may wait for our answer, and never end its line.
func ReadPing(r *bufio.Reader) (api string, err error) {
	first, err := r.Peek(len(statusStart))
	if len(first) > 0 && !bytes.HasPrefix(statusStart, first) {
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
	return parsePing(answer, body)
}
