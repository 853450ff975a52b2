package dockerd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
)

// ErrBadCertificate reports that the server's certificate is not one that can be
// read, by the rules of crypto/x509.
var ErrBadCertificate = errors.New("its certificate cannot be read")

// ErrNotTLS reports that what answers does not speak TLS.
var ErrNotTLS = errors.New("it does not speak TLS")

// RejectedError is a server that does not accept the client certificate. In TLS
// 1.3 the alert shows on the first read only, so Ping reports it, and does so for TLS 1.2.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return e.Err.Error() }

func (e *RejectedError) Unwrap() error { return e.Err }

// NotDockerError is an answer that is not the Docker API's. Status is that of a web server,
// 0 where none answers.
type NotDockerError struct {
	Text   string
	Status int
}

func (e *NotDockerError) Error() string { return "not the Docker API: " + e.Text }

// silentError is a peer that has accepted a connection and let its time pass.
type silentError struct{}

func (silentError) Error() string { return "it keeps silent" }

func (silentError) Unwrap() error { return context.DeadlineExceeded }

// explain distinguishes the ways in which a TLS connection fails.
func explain(ctx context.Context, err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // callers name what was asked for; its URL is made up
	}
	// The connection's deadline is the context's, and may pass a moment before it.
	if cause := context.Cause(ctx); errors.Is(err, os.ErrDeadlineExceeded) && cause == nil || errors.Is(cause, context.DeadlineExceeded) {
		return silentError{}
	} else if cause != nil {
		return fmt.Errorf("no answer: %w", cause)
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fmt.Errorf("%w: its first bytes are %q", ErrNotTLS, record.RecordHeader[:])
	}
	if rejected(err) {
		return &RejectedError{Err: err}
	}
	if strings.Contains(err.Error(), "failed to parse certificate from server") {
		return fmt.Errorf("%w: %w", ErrBadCertificate, err)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection was closed: %w", err)
	}
	return err
}

// rejected reports whether an error is an alert about a client certificate (RFC
// 8446, section 6.2). crypto/tls gives alerts that it receives a type of its own
// that only shows by its text; tls.AlertError has the same texts.
func rejected(err error) bool {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return false
	}
	// bad, unsupported, revoked, expired, unknown, unknown_ca, access_denied, certificate_required
	for _, code := range []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116} {
		if remote.Err.Error() == code.Error() {
			return true
		}
	}
	return false
}
