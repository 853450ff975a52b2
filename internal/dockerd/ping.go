package dockerd

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
)

// PingRequest asks for /_ping on a connection that is not used again.
const PingRequest = "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"

// readError is a connection that failed before the answer was read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// ReadPing reads the answer to PingRequest, and returns the API version that the daemon
// names; "" from one older than 1.13.
func ReadPing(r *bufio.Reader) (api string, err error) {
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
