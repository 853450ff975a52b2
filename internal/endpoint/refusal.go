package endpoint

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// NotTLS reports whether err means that the peer does not speak TLS.
func NotTLS(err error) bool { return errors.Is(err, dockerd.ErrNotTLS) }

// NotDocker reports whether err means that the peer is not the Docker API.
func NotDocker(err error) bool {
	var e *dockerd.NotDockerError
	return errors.As(err, &e)
}

// Complains reports whether err is an error that dockerd returned.
func Complains(err error) bool {
	var e *dockerd.APIError
	return errors.As(err, &e)
}

// ClientUnusable returns the *ClientCertError because of which dockerd was not asked, or nil.
func (a Answer) ClientUnusable() error {
	var e *ClientCertError
	if errors.As(a.TLSErr, &e) {
		return e
	}
	return nil
}

// Rejected returns the *dockerd.RejectedError with which dockerd refused the client certificate, or
// nil.
func (a Answer) Rejected() error {
	for _, err := range []error{a.TLSErr, a.PingErr} {
		var e *dockerd.RejectedError
		if errors.As(err, &e) {
			return e
		}
	}
	return nil
}
