package world

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// ClientAPI is the newest API that the laptop's docker command speaks; ErrNoDocker
// where there is none. DOCKER_API_VERSION counts, as it does for docker.
func (w *World) ClientAPI(ctx context.Context) (dockercli.API, error) {
	m := &w.client
	if w.Shared != nil {
		m = &w.Shared.client
	}
	return m.Get(ctx, func() (dockercli.API, error) {
		ctx, cancel := context.WithTimeout(ctx, ProbeTime)
		defer cancel()
		out, err := w.Docker(ctx, "", nil, dockercli.ClientAPI())
		if api, ok := dockercli.ParseAPI(string(out.Stdout)); ok {
			return api, nil
		}
		var exit *host.CmdError
		if err == nil || errors.As(err, &exit) {
			err = fmt.Errorf("docker does not say which API it speaks: %q", out.Stdout)
		}
		return dockercli.API{}, err
	})
}
