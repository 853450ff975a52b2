package cli

import (
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/proxy"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) proxyOnCmd() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "on [-H HOST]",
		Short: "Run proxy as a systemd service, now and after each boot",
		Long: `proxy on installs, starts and enables the systemd unit ` + proxy.UnitName + `, which runs
proxy with these flags in front of this computer's docker socket (-H local; Linux). It runs as
its own user in the docker socket's group, with copies of the certificates that only this user
can read. After you change the files, systemctl reload makes new copies.

The service must be able to read the program: install it to /usr/local/bin, as sudo make
install does, not in a home directory.

proxy off stops and removes the service. undo local reverts both commands.`,
		Example: `  docker-vpn-helper proxy on -H local --certs /etc/docker-proxy --listen 172.17.0.1:4242
  sudo systemctl reload docker-vpn-helper-proxy
  docker-vpn-helper proxy off -H local`,
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkProxyFlags(cmd, &f); err != nil {
				return err
			}
			return a.onThisComputer(func(s site, t *target.Target) error {
				unit, err := a.proxyUnit(&f, t)
				if err != nil {
					return err
				}
				return a.setProxyUnit(s, t, unit.Text(), f.listen)
			})
		},
	}
	f.register(cmd)
	return cmd
}

func (a *app) proxyOffCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "off [-H HOST]",
		Short:   "Stop and remove the systemd service of proxy on",
		Example: "  docker-vpn-helper proxy off -H local",
		Args:    a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.onThisComputer(func(s site, t *target.Target) error { return a.setProxyUnit(s, t, "", "") })
		},
	}
}

// onThisComputer opens this computer as a docker host, the only one that the unit can serve.
func (a *app) onThisComputer(do func(site, *target.Target) error) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	ref, err := a.hostRef(s, nil, target.Local)
	if err != nil {
		return err
	}
	if ref.Kind != target.Local {
		return misused(a.again("-H", "local"), "proxy %s takes local, not %s", a.cmd.Name(), ref.Arg())
	}
	if s.laptop.OS() != host.Linux {
		return misused(hint.Run("docker-vpn-helper", "proxy", "--help"), "proxy %s needs systemd, which only Linux has", a.cmd.Name())
	}
	return a.onHost(s, nil, func(t *target.Target) error { return do(s, t) }, target.Local)
}

// proxyUnit returns the unit for these flags. It checks the files as proxy does.
func (a *app) proxyUnit(f *proxyFlags, t *target.Target) (proxy.Unit, error) {
	u := proxy.Unit{}
	// This user may not be able to read root's files. If they are wrong, the service reports it.
	if _, err := a.credentials(f); err != nil && !errors.Is(err, fs.ErrPermission) {
		return u, a.noCredentials(f, err)
	}
	program, err := t.Laptop.LookPath("docker-vpn-helper", "/usr/local/bin/docker-vpn-helper")
	install := hint.Run("sudo", "install", "-m", "755", program, "/usr/local/bin/")
	if err != nil {
		install = hint.Run("docker-vpn-helper", "proxy", "on", "--help")
	}
	if err != nil || strings.HasPrefix(program, "/home/") || strings.HasPrefix(program, "/root/") || strings.HasPrefix(program, "/tmp/") {
		return u, &exitError{code: exitUserAction, message: "the service needs docker-vpn-helper in a directory that it can read, such as /usr/local/bin", hint: install}
	}
	u.Program = program
	for _, file := range []struct{ from, to *string }{{&f.cert, &u.Cert}, {&f.key, &u.Key}, {&f.ca, &u.CA}, {&f.allowFile, &u.AllowFile}} {
		if *file.from == "" {
			continue
		}
		if *file.to, err = filepath.Abs(*file.from); err != nil {
			return u, err
		}
	}
	if t.Socket != target.DefaultSocket {
		u.Socket = t.Socket
	}
	if u.Group, err = host.WritingGroup(t.Socket); err != nil {
		return u, err
	}
	_, port, _ := net.SplitHostPort(f.listen)
	n, err := strconv.Atoi(port)
	u.Privileged = err == nil && n > 0 && n < 1024
	u.Args = []string{"--listen", f.listen, "--max-connections", strconv.Itoa(f.most)}
	if f.readOnly {
		u.Args = append(u.Args, "--read-only")
	}
	if len(f.allowCN) > 0 {
		u.Args = append(u.Args, "--allow-cn", strings.Join(f.allowCN, ","))
	}
	return u, nil
}

// setProxyUnit installs the unit, or removes it if the text is empty.
func (a *app) setProxyUnit(s site, t *target.Target, text, listen string) error {
	session, err := engine.Begin(a.ctx, a.hard, a.hostJob(s, t.Ref, t.State(), "proxy-"+a.cmd.Name(), nil))
	if err != nil {
		return err
	}
	defer session.Close()
	change := &laptopchange.SystemUnit{Name: proxy.UnitName, Text: text, Listen: listen}
	if err := change.Backup(a.ctx, session.Target); err != nil {
		return err
	}
	var res engine.Result
	off := text == "" && change.None
	if !off {
		if res, err = session.Apply(a.ctx, a.hard, []engine.Change{change}); err != nil {
			return err
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema  int      `json:"schema"`
			Unit    string   `json:"unit"`
			Applied []string `json:"applied"`
			Journal string   `json:"journal"`
		}{engine.Schema, proxy.UnitName, nonNil(res.Applied), res.Journal})
	}
	if off {
		a.ui.Success("%s is not installed", proxy.UnitName)
		return nil
	}
	if text == "" {
		a.ui.Success("%s is stopped and removed", proxy.UnitName)
		return nil
	}
	a.ui.Success("%s is running, and listens on %s", proxy.UnitName, listen)
	a.next(hint.Run("systemctl", "status", proxy.UnitName))
	return nil
}
