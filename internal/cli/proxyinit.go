package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// certFiles are the files that proxy init creates.
var certFiles = []string{"ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "cert.pem", "key.pem"}

func (a *app) proxyInitCmd() *cobra.Command {
	var names []string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Create a CA and certificates for proxy and a first client",
		Long: `proxy init creates a CA, and two certificates signed by it: one for the proxy and one for a
client called "client". DIR then works as --certs of proxy and as DOCKER_CERT_PATH of docker.

Keep ca-key.pem secret: whoever has it can create client certificates, and with one of them
become root on the docker host. proxy itself does not need it.`,
		Example: `  docker-vpn-helper proxy init ./certs
  docker-vpn-helper proxy init ./certs --name 172.17.0.1   # for containers on docker's bridge`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || args[0] == "":
				return misused(a.again("./certs"), "proxy init takes a directory")
			case len(args) > 1:
				return misused(a.without(args[1:]...), "proxy init takes one directory, not %s", strings.Join(args, " "))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.proxyInit(args[0], names) },
	}
	cmd.Flags().StringSliceVar(&names, "name", nil, "additional `NAMES` of the proxy: host names or addresses that clients use")
	return cmd
}

func (a *app) proxyInit(dir string, more []string) error {
	path, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	s, err := a.site()
	if err != nil {
		return err
	}
	if err := a.unused(dir, path); err != nil {
		return err
	}
	files, err := certificateSet(slices.Concat([]string{"localhost", "127.0.0.1", "::1"}, more), a.Now())
	if err != nil {
		return misused(hint.Run("docker-vpn-helper", "proxy", "init", "--help"), "--name: %v", err)
	}
	if err := a.newDir(s, path, files); errors.Is(err, fs.ErrExist) {
		return a.unused(dir, path)
	} else if err != nil {
		return err
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int      `json:"schema"`
			Dir    string   `json:"dir"`
			Files  []string `json:"files"`
		}{engine.Schema, path, certFiles})
	}
	a.ui.Success("created a CA, a server certificate and a client certificate in %s", dir)
	a.next(hint.Own("proxy", "--certs", dir, "--listen", "127.0.0.1:4242"))
	return nil
}

// unused returns an error if the directory exists and is not empty.
func (a *app) unused(dir, path string) error {
	entries, err := a.Laptop(host.Sudo{}).ReadDir(a.ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	}
	var missing []string
	for _, f := range certFiles {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == f }) {
			missing = append(missing, f)
		}
	}
	other := hint.Own("proxy", "init", strings.TrimRight(dir, "/")+"-2")
	switch len(missing) {
	case 0:
		return &exitError{code: exitProblems, message: dir + " already has certificates, which are never overwritten", hint: hint.Own("proxy", "--certs", dir, "--check")}
	case len(certFiles):
		return &exitError{code: exitProblems, message: dir + " is not empty; name a new directory", hint: other}
	}
	return &exitError{code: exitProblems, message: fmt.Sprintf("%s has some of the certificates, but not %s; nothing was written", dir, strings.Join(missing, ", ")), hint: other}
}

// certificateSet creates a CA, a server certificate for names and a client certificate.
func certificateSet(names []string, now time.Time) ([]host.NewFile, error) {
	ca, err := certs.NewCA("docker-vpn-helper proxy CA", now)
	if err != nil {
		return nil, err
	}
	cert, key, err := certs.ParseCA(ca.Cert, ca.Key)
	if err != nil {
		return nil, err
	}
	server, err := certs.NewServer(names, cert, key, now)
	if err != nil {
		return nil, err
	}
	client, err := certs.NewClient("client", cert, key, now)
	if err != nil {
		return nil, err
	}
	return []host.NewFile{
		{Name: "ca.pem", Data: ca.Cert, Perm: 0o644}, {Name: "ca-key.pem", Data: ca.Key, Perm: 0o600},
		{Name: "server.pem", Data: server.Cert, Perm: 0o644}, {Name: "server-key.pem", Data: server.Key, Perm: 0o600},
		{Name: "cert.pem", Data: client.Cert, Perm: 0o644}, {Name: "key.pem", Data: client.Key, Perm: 0o600},
	}, nil
}
