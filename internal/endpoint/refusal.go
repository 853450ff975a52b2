package endpoint

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerd"
)

// NotTLS reports that what answered does not speak TLS at all.
func NotTLS(err error) bool { return errors.Is(err, dockerd.ErrNotTLS) }

// NotDocker reports that what answered is not the Docker API.
func NotDocker(err error) bool {
	var e *dockerd.NotDockerError
	return errors.As(err, &e)
}

// Complains reports that it is dockerd that answered, with an error.
func Complains(err error) bool {
	var e *dockerd.APIError
	return errors.As(err, &e)
}

// ClientUnusable is why no question was sent: there is no client certificate to show.
func (a Answer) ClientUnusable() error {
	var e *ClientCertError
	if errors.As(a.TLSErr, &e) {
		return e
	}
	return nil
}

// Rejected reports that dockerd does not accept the client certificate.
func (a Answer) Rejected() error {
	for _, err := range []error{a.TLSErr, a.PingErr} {
		var e *dockerd.RejectedError
		if errors.As(err, &e) {
			return e
		}
	}
	return nil
}
