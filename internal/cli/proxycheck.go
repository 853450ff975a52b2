package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/proxy"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// proxyCheck is one line of proxy --check.
type proxyCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	status engine.Status
}

// checkTime bounds proxy --check, a login included.
const checkTime = 20 * time.Second

func (a *app) checkProxy(f *proxyFlags, t *target.Target, credentials *proxy.Credentials) error {
	ctx, cancel := context.WithTimeout(a.ctx, checkTime)
	defer cancel()
	var checks []proxyCheck
	add := func(name, good string, err error) bool {
		c := proxyCheck{Name: name, OK: err == nil, Detail: good, status: engine.OK}
		if err != nil {
			c.Detail, c.status, a.code = err.Error(), engine.Fail, exitProblems
		}
		checks = append(checks, c)
		return c.OK
	}
	leaf := credentials.Server
	add("certificates", fmt.Sprintf("the server certificate names %s, until %s", strings.Join(certs.NamesOf(leaf), ", "), leaf.NotAfter.Format(time.DateOnly)), nil)
	free, err := canListen(f.listen)
	if free || err != nil {
		add("address", f.listen+" is free", err)
	} else { // perhaps the proxy runs
		checks = append(checks, proxyCheck{Name: "address", OK: true, Detail: f.listen + " is in use, perhaps by this proxy", status: engine.Warn})
	}
	version, err := proxy.Ping(ctx, t.DockerStream)
	if add("socket", "dockerd answers, API "+version, err) {
		add("half-close", "the answer comes after the client has ended its direction", selfTest(ctx, t, a.Now()))
	}
	if a.ctx.Err() != nil {
		return a.cause(a.ctx.Err())
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int          `json:"schema"`
			Host   string       `json:"host"`
			Checks []proxyCheck `json:"checks"`
		}{engine.Schema, t.Ref.String(), checks})
	}
	verdict := "docker works through the proxy"
	if a.code != exitOK {
		verdict = "docker does not work through the proxy"
	}
	var lines []ui.Check
	for _, c := range checks {
		lines = append(lines, ui.Check{Name: c.Name, Status: c.status, Text: c.Detail})
	}
	a.ui.Checks(t.Name(), verdict, a.code == exitOK, lines)
	if reached := slices.ContainsFunc(checks, func(c proxyCheck) bool { return c.Name == "socket" && c.OK }); !reached {
		a.next(t.Hint(hint.Own("doctor", hint.Machine)))
	}
	return nil
}

// canListen reports whether the proxy could listen. On a port in use it may do so already,
// which is no error.
func canListen(addr string) (free bool, err error) {
	l, err := host.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", addr, err)
	}
	return true, l.Close()
}

func selfTest(ctx context.Context, t *target.Target, now time.Time) error {
	l, err := host.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return proxy.SelfTest(ctx, l, t.DockerStream, now)
}
