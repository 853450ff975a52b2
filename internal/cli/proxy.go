package cli

import (
	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const proxyLong = `proxy listens for HTTPS, and connects clients that have a certificate of the CA to HOST's
docker socket. Everything that docker does works through it.
HOST is "local", a machine, ssh://[user@]host[:port], tcp://host:port or context:NAME.

Whoever reaches the docker socket is root on the docker host: a client certificate is
worth as much as root's password. --read-only lets only GET and HEAD requests through;
a client can then still read everything in the containers, their files (docker cp,
docker export), environment and logs included.

A client without a valid certificate gets HTTP 400 with the reason; one that --allow-cn does
not name gets 403. SIGHUP reloads the certificates and --allow-cn-file without interrupting
streams; if a file is broken, the old ones stay in use. SIGTERM ends proxy when all streams
have ended, or after 10 s.

proxy prints one line per connection: time, the client's address and name, duration, bytes,
and why it was refused.`

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
	cmd.Flags().BoolVar(&f.check, "check", false, "check the certificates, the address, the socket and a connection through the proxy, and exit")
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
