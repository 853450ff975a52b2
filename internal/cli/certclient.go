package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) certClientCmd() *cobra.Command {
	var out, dir string
	cmd := &cobra.Command{
		Use:   "client NAME [-H MACHINE]",
		Short: "Make a client certificate, signed by a machine's CA or by that of proxy init",
		Long: `cert client makes a key and a certificate for a client called NAME, and puts them into a new
directory with the CA's certificate, so that it works as DOCKER_CERT_PATH. The CA is that of
the machine, or with --certs that of proxy init; proxy's --allow-cn goes by NAME.

Whoever has such a certificate is root on the docker host.`,
		Example: `  docker-vpn-helper cert client ci --certs ./certs
  docker-vpn-helper cert client ci -H default --out ./ci-certs`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return misused(hint.Run("docker-vpn-helper", "cert", "client", "--help"), "cert client takes one name, for the client")
			case !clientName.MatchString(args[0]):
				return misused(hint.Run("docker-vpn-helper", "cert", "client", "--help"),
					"%q cannot be a client's name: it takes up to 64 letters, digits and . _ @ -, and begins with a letter or a digit", args[0])
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(_ *cobra.Command, args []string) error { return a.certClient(args[0], dir, out) },
	}
	cmd.Flags().StringVar(&out, "out", "", "write into the new directory `DIR` (default ./NAME)")
	cmd.Flags().StringVar(&dir, "certs", "", "sign with the CA that proxy init has made in `DIR`")
	return cmd
}

// clientName matches the names that a client may have: each is one word in --allow-cn and in a log.
var clientName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,63}$`)

func (a *app) certClient(name, dir, out string) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	if out == "" {
		out = name
	}
	path, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if dir == "" {
		if err := a.withCA(s, name); err != nil {
			return err
		}
		err := a.onHost(s, nil, func(t *target.Target) error {
			return a.issueClient(s, name, out, path, t.Machine.CACert, t.Machine.CAKey)
		}, target.Machine)
		var missing *store.NotFoundError
		if a.host == "" && errors.As(err, &missing) && a.exists("certs/ca-key.pem") {
			return misused(a.again("--certs", "./certs"), "%v", err)
		}
		return err
	}
	if a.host != "" {
		return misused(a.without("-H", a.host), "--certs takes the place of -H")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return a.issueClient(s, name, out, path, filepath.Join(abs, "ca.pem"), filepath.Join(abs, "ca-key.pem"))
}

// withCA returns an error if -H names a docker host other than a machine: only machines have a CA.
func (a *app) withCA(s site, name string) error {
	ref, err := a.parseHost(s, a.host, target.AllKinds())
	if a.host == "" || err != nil || ref.Kind == target.Machine {
		return nil
	}
	next := hint.Run("docker-vpn-helper", "cert", "client", name, "--certs", "./certs")
	if !a.exists("certs/ca-key.pem") {
		next = hint.Run("docker-vpn-helper", "proxy", "init", "./certs").Then("&&", next)
	}
	return misused(next, "%s has no CA; the CA of proxy init signs certificates for it", a.host)
}

// issueClient signs a client certificate with a CA and writes it to the new directory path.
// Messages call that directory out, as the user wrote it.
func (a *app) issueClient(s site, name, out, path, caFile, keyFile string) error {
	ca, err := s.laptop.ReadFile(a.ctx, caFile)
	if err != nil {
		return err
	}
	secret, err := s.laptop.ReadFile(a.ctx, keyFile)
	if err != nil {
		return err
	}
	cert, key, err := certs.ParseCA(ca, secret)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", caFile, keyFile, errors.Unwrap(err))
	}
	client, err := certs.NewClient(name, cert, key, a.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", caFile, err)
	}
	err = a.newDir(s, path, []host.NewFile{
		{Name: "ca.pem", Data: certs.EncodeCert(cert), Perm: 0o644}, {Name: "cert.pem", Data: client.Cert, Perm: 0o644}, {Name: "key.pem", Data: client.Key, Perm: 0o600},
	})
	if errors.Is(err, fs.ErrExist) {
		return &exitError{code: exitProblems, message: out + " exists already, and nothing is overwritten", hint: a.again("--out", out+"-2")}
	}
	if err != nil {
		return err
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Name   string `json:"name"`
			Dir    string `json:"dir"`
		}{engine.Schema, name, path})
	}
	a.ui.Success("client certificate for %s: %s", name, out)
	a.next(hint.Shell("export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=" + shell.Quote(path)))
	return nil
}
