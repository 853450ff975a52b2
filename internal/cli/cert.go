package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

func (a *app) certCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Show or renew the machine's server certificate, make client certificates",
		Example: `  docker-vpn-helper cert show default
  docker-vpn-helper cert renew default`,
		Args: a.unknownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var accept bool
	show := &cobra.Command{
		Use: "show [MACHINE]", Short: "Show the server certificate wherever it is stored, the client's, and the machine CA's", Args: a.oneMachine,
		Long: `cert show prints the certificate that dockerd serves, those on the docker host's disk and in the
store, docker's client certificate, and the machine CA's. Nothing is changed.`,
		Example: "  docker-vpn-helper cert show default",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.withMachine(args, a.certShow)
		},
	}
	renew := &cobra.Command{
		Use: "renew [MACHINE]", Short: "Reissue the server certificate and restart dockerd", Args: a.oneMachine,
		Long: `cert renew reissues the server certificate, verifies it, and restarts dockerd, which stops the
running containers; those with a restart policy start again. undo reverts it.`,
		Example: "  docker-vpn-helper cert renew default",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.withMachine(args, func(t *target.Target) error {
				return a.certRenew(siteOf(t), t.Machine.Name, accept)
			})
		},
	}
	renew.Flags().BoolVar(&accept, "accept-host-key", false, "accept a changed SSH host key")
	cmd.AddCommand(show, renew, a.certClientCmd())
	return cmd
}

// certPlace is the server certificate as found in one place: either the certificate or an error.
type certPlace struct {
	*certs.Summary
	Error string `json:"error,omitempty"`
}

// certReport is what cert show --json prints.
type certReport struct {
	Schema   int       `json:"schema"`
	Machine  string    `json:"machine"`
	Endpoint string    `json:"endpoint"` // at which Served was seen
	Served   certPlace `json:"served"`
	Disk     certPlace `json:"disk"`
	Store    certPlace `json:"store"`
	Client   certPlace `json:"client"`
	CA       certPlace `json:"ca"`
}

func (a *app) certShow(t *target.Target) error {
	c := t.Certificates(a.ctx)
	if a.ctx.Err() != nil {
		return a.cause(a.ctx.Err())
	}
	r := certReport{Schema: engine.Schema, Machine: t.Machine.Name, Endpoint: c.Answer.Endpoint.URL(),
		Served: place(c.Served), Disk: place(c.Disk), Store: place(c.Store), Client: place(c.Client), CA: place(c.CA)}
	if r.Served.Summary == nil && r.Disk.Summary == nil && r.Store.Summary == nil {
		a.code = exitUnknown
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(r)
	}
	a.ui.Fields(r.fields(a.Now()))
	return nil
}

func place(c target.Certificate) certPlace {
	if c.Cert == nil {
		text := c.Err.Error()
		if errors.Is(c.Err, fs.ErrNotExist) {
			text = "there is none: " + text
		}
		return certPlace{Error: text}
	}
	return certPlace{Summary: certs.Summarize(c.Cert)}
}

// fields returns a block of lines for each place. A certificate is described once; where it is
// found again, its first place is named.
func (r certReport) fields(now time.Time) (out []ui.Field) {
	shown := map[string]string{}
	for _, p := range []struct {
		name string
		certPlace
	}{{"served", r.Served}, {"docker host", r.Disk}, {"store", r.Store}, {"client", r.Client}, {"machine CA", r.CA}} {
		if p.Summary == nil {
			out = append(out, ui.Field{Name: p.name, Text: p.Error})
			continue
		}
		if first, ok := shown[p.Fingerprint]; ok {
			out = append(out, ui.Field{Name: p.name, Text: "the same as " + first})
			continue
		}
		shown[p.Fingerprint] = p.name
		out = append(out, ui.Field{Name: p.name, Text: strings.NewReplacer(`\<`, "<", `\>`, ">").Replace(p.Subject)})
		if len(p.Names) > 0 {
			out = append(out, ui.Field{Text: "names " + strings.Join(p.Names, ", ")})
		}
		for _, line := range []string{
			fmt.Sprintf("from %s until %s%s", p.NotBefore.Format(time.DateOnly), p.NotAfter.Format(time.DateOnly), age(p.Summary, now)),
			"issued by " + p.Issuer,
			fmt.Sprintf("%s, %s, serial %s", p.Key, p.Signature, p.Serial),
			"SHA-256 " + p.Fingerprint,
		} {
			out = append(out, ui.Field{Text: line})
		}
	}
	return out
}

func age(c *certs.Summary, now time.Time) string {
	const day = 24 * time.Hour
	switch left := c.NotAfter.Sub(now); {
	case left < 0:
		return ", expired"
	case now.Before(c.NotBefore):
		return ", not yet valid"
	default:
		return fmt.Sprintf(", %d days left", left/day)
	}
}

// certRenew reissues the certificate like fix --reissue, but inspects only the layers that the new
// certificate needs in order to be verified. Of those, it repairs only a VM that is off.
func (a *app) certRenew(s site, name string, acceptHostKey bool) error {
	session, err := engine.Begin(a.ctx, a.hard, a.machineJob(s, name, "cert-renew", func(t *target.Target) { t.AcceptHostKey = acceptHostKey }))
	if err != nil {
		return err
	}
	defer session.Close()
	t := session.Target
	defer t.Enter(mode.Repair())()
	t.Reissue = true
	t.Forget()
	if e := t.Endpoints.ForDocker(a.ctx); e.Planned && a.ctx.Err() == nil {
		if _, err := t.VM.Info(a.ctx); t.Machine.VirtualBox() && errors.Is(err, virtualbox.ErrNotInstalled) {
			return err
		}
		return &exitError{code: exitProblems, message: fmt.Sprintf("machine %q has no NAT rule for dockerd, so a new certificate can't be verified", t.Machine.Name),
			hint: t.Hint(hint.Fix("--reissue"))}
	}
	res, err := session.Fix(a.ctx, a.hard, layers.Only("machine", "ssh", "tls", "daemon"))
	if err != nil {
		return err
	}
	if !a.ui.JSON {
		a.ui.Success("[%s] renewed: dockerd answers at %s", t.Machine.Name, t.Endpoint(a.ctx))
		return nil
	}
	served := place(t.Certificates(a.ctx).Served)
	return a.ui.PrintJSON(struct {
		Schema   int       `json:"schema"`
		Machine  string    `json:"machine"`
		Endpoint string    `json:"endpoint"`
		Served   certPlace `json:"served"`
		Applied  []string  `json:"applied"`
		Journal  string    `json:"journal"`
	}{engine.Schema, t.Machine.Name, t.Endpoint(a.ctx), served, nonNil(res.Applied), res.Journal})
}
