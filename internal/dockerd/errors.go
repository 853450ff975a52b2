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

// ErrBadCertificate means that crypto/x509 cannot parse the server's certificate.
var ErrBadCertificate = errors.New("its certificate cannot be read")

// ErrNotTLS means that the peer does not speak TLS.
var ErrNotTLS = errors.New("it does not speak TLS")

// RejectedError means that the server does not accept the client certificate. With TLS 1.3 that
// only shows in the first read, so Ping returns it, for TLS 1.2 as well.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return e.Err.Error() }

func (e *RejectedError) Unwrap() error { return e.Err }

// NotDockerError means that the peer is not the Docker API. Status is the HTTP status if it is a
// web server; otherwise 0.
type NotDockerError struct {
	Text   string
	Status int
}

func (e *NotDockerError) Error() string { return "not the Docker API: " + e.Text }

// silentError means that the peer accepted a connection but did not answer in time.
type silentError struct{}

func (silentError) Error() string { return "it keeps silent" }

func (silentError) Unwrap() error { return context.DeadlineExceeded }

// explain returns a clearer error for a failed TLS connection.
func explain(ctx context.Context, err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // drop the URL, whose host is made up; callers name the path
	}
	// The connection's deadline is that of ctx, and may expire slightly earlier.
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

// rejected reports whether an error is an alert about a client certificate (RFC 8446, section 6.2).
// The type that crypto/tls uses for received alerts is not exported; its text is the same as that
// of tls.AlertError.
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
