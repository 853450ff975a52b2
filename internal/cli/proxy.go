package cli

import (
	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const proxyLong = `proxy listens for HTTPS and passes what comes to HOST's docker socket, but only from
clients with a certificate of the CA. Everything that docker does works through it.
HOST is "local", a machine, ssh://[user@]host[:port], tcp://host:port or context:NAME.

Whoever reaches the docker socket is root on the docker host: a client certificate is
worth as much as root's password. --read-only lets only GET and HEAD requests through;
a client can then still read everything in the containers, their files (docker cp,
docker export), environment and logs included.

A client without a good certificate gets HTTP 400 with the reason, one that --allow-cn
does not name 403. SIGHUP reads the certificates and --allow-cn-file again, and streams
go on; if a file is broken, what was read before stays in use. SIGTERM ends it when all
streams have ended, or after 10 s.

One line per connection is printed: when, client's name and address, duration, bytes, and why
it was refused.`

func (a *app) proxyCmd() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy [-H HOST]",
		Short: "Mutual TLS in front of a docker socket",
		Long:  proxyLong,
		Example: `  docker-vpn-helper proxy init ./certs
  docker-vpn-helper proxy --certs ./certs --listen 127.0.0.1:4242
  DOCKER_HOST=tcp://127.0.0.1:4242 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=./certs docker ps`,
		Annotations: map[string]string{reloads: "yes"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return a.unknownSubcommand(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.proxy(cmd, &f) },
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "verify the certificates, the socket and a half-close through the proxy, and exit")
	cmd.AddCommand(a.proxyInitCmd(), a.proxyOnCmd(), a.proxyOffCmd())
	return cmd
}

func (a *app) proxy(cmd *cobra.Command, f *proxyFlags) error {
	if err := a.checkProxyFlags(cmd, f); err != nil {
		return err
	}
	credentials, err := a.credentials(f)
	if err != nil {
		return a.noCredentials(f, err)
	}
	s, err := a.site()
	if err != nil {
		return err
	}
	return a.onHost(s, nil, func(t *target.Target) error {
		if f.check {
			return a.checkProxy(f, t, credentials)
		}
		return a.serveProxy(f, t, credentials)
	}, target.AllKinds()...)
}
