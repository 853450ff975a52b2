package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// EnvNames returns the variables that Environment sets, in its order.
func EnvNames() []string {
	return []string{"DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"}
}

// SplitEnv divides EnvNames by their present values. ours are unset, or have a value that this
// program or docker-machine env sets for a machine, of this store or of another one. others were
// set by something else.
func SplitEnv(getenv func(string) string, storeDir string) (ours, others []string) {
	certs, name := getenv("DOCKER_CERT_PATH"), getenv("DOCKER_MACHINE_NAME")
	machines, machine := filepath.Split(filepath.Clean(certs))
	inStore := filepath.IsAbs(certs) && (filepath.Clean(machines) == filepath.Join(storeDir, "machines") ||
		filepath.Base(machines) == "machines" && machine == name)
	is := map[string]bool{
		"DOCKER_TLS_VERIFY":   getenv("DOCKER_TLS_VERIFY") == "1",
		"DOCKER_CERT_PATH":    inStore,
		"DOCKER_MACHINE_NAME": !inStore || name == machine,
	}
	u, err := url.Parse(getenv("DOCKER_HOST"))
	is["DOCKER_HOST"] = err == nil && u.Scheme == "tcp" && (inStore || vbox.Loopback(u.Hostname()))
	for _, n := range EnvNames() {
		if getenv(n) == "" || is[n] {
			ours = append(ours, n)
		} else {
			others = append(others, n)
		}
	}
	return ours, others
}

// WithoutNoProxy returns the caller's no_proxy and NO_PROXY without the host of DOCKER_HOST, as far
// as they contain it.
func WithoutNoProxy(getenv func(string) string) (vars []shell.Var) {
	u, err := url.Parse(getenv("DOCKER_HOST"))
	if err != nil || u.Hostname() == "" {
		return nil
	}
	for _, name := range noProxyNames {
		old := getenv(name)
		if left := shell.RemoveNoProxy(old, u.Hostname()); left != old {
			vars = append(vars, shell.Var{Name: name, Value: left, Unset: left == ""})
		}
	}
	return vars
}

// Environment returns the variables that make docker use an endpoint of the machine.
func (f *Finder) Environment(_ context.Context, e Endpoint) ([]shell.Var, error) {
	if e.Host == "" {
		return nil, fmt.Errorf("machine %q has no endpoint", f.Machine.Name)
	}
	values := []string{"1", e.URL(), f.Machine.CertDir, f.Machine.Name}
	vars := make([]shell.Var, len(values))
	for i, name := range EnvNames() {
		vars[i] = shell.Var{Name: name, Value: values[i]}
	}
	return vars, nil
}

// Recorded returns the endpoint of the record, the NAT rule or the machine's own address; see the
// package comment. It connects to none of them.
func (f *Finder) Recorded(ctx context.Context) Endpoint {
	if r, err := f.Record(ctx); err == nil {
		return Forwarded(r.Port)
	}
	if f.Machine.VirtualBox() {
		if vm, err := f.VM.Info(ctx); err == nil {
			if rules := f.VM.DaemonRules(vm); len(rules) > 0 {
				return Forwarded(rules[0].HostPort)
			}
		}
	}
	return f.HostOnly()
}

// Verify returns an error that says why docker would not work with the endpoint, or nil.
func (f *Finder) Verify(ctx context.Context, e Endpoint) error {
	if f.Machine.CreateUnfinished {
		return &store.CreateUnfinishedError{Name: f.Machine.Name}
	}
	if e.Planned || e.Host == "" {
		if f.Machine.VirtualBox() {
			if _, err := f.VM.Info(ctx); err != nil {
				return fmt.Errorf("no endpoint of machine %q is known: %w", f.Machine.Name, err)
			}
		}
		return fmt.Errorf("machine %q has no NAT rule for dockerd, and nothing answers at its own address", f.Machine.Name)
	}
	a := f.Ask(ctx, e)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case a.DialErr != nil:
		return fmt.Errorf("no answer from dockerd on machine %q: %w", f.Machine.Name, a.DialErr)
	case a.ClientUnusable() != nil:
		return a.TLSErr
	case a.Leaf == nil:
		return fmt.Errorf("no answer from dockerd on machine %q at %s: %w", f.Machine.Name, e.URL(), a.TLSErr)
	case a.Identity == Other:
		return fmt.Errorf("%s answers, and it is not machine %q", e.URL(), f.Machine.Name)
	}
	if err := f.CheckTrust(ctx, a); err != nil {
		return fmt.Errorf("docker would not trust %s: %w", e.URL(), err)
	}
	if a.PingErr != nil {
		return fmt.Errorf("no answer from dockerd on machine %q at %s: %w", f.Machine.Name, e.URL(), a.PingErr)
	}
	if a.Identity != Mine {
		return errors.New("nothing in the store identifies " + e.URL() + " as this machine")
	}
	return nil
}

// NoProxy returns the caller's no_proxy and NO_PROXY with the endpoint's host added. Programs read
// one or the other (curl no_proxy, Go NO_PROXY), so both are extended if they are set; if neither
// is, it returns no_proxy.
func (f *Finder) NoProxy(e Endpoint) (vars []shell.Var) {
	for _, name := range noProxyNames {
		if old := f.Getenv(name); old != "" {
			vars = append(vars, shell.Var{Name: name, Value: shell.AddNoProxy(old, e.Host)})
		}
	}
	if len(vars) == 0 {
		vars = []shell.Var{{Name: noProxyNames[0], Value: e.Host}}
	}
	return vars
}

var noProxyNames = []string{"no_proxy", "NO_PROXY"}
