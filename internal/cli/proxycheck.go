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
)

// proxyCheck is one line of proxy --check.
type proxyCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// checkTime is the timeout of proxy --check, including a login.
const checkTime = 20 * time.Second

func (a *app) checkProxy(f *proxyFlags, t *target.Target, credentials *proxy.Credentials) error {
	ctx, cancel := context.WithTimeout(a.ctx, checkTime)
	defer cancel()
	var checks []proxyCheck
	report, verdict := engine.Report{Machine: t.Name(), Verdict: engine.OK}, "docker works through the proxy"
	add := func(name string, status engine.Status, text string, err error) bool {
		if err != nil {
			text, status, report.Verdict, verdict, a.code = err.Error(), engine.Fail, engine.Fail, "docker does not work through the proxy", exitProblems
		}
		checks = append(checks, proxyCheck{Name: name, OK: err == nil, Detail: text})
		report.Layers = append(report.Layers, engine.LayerReport{Layer: name, Status: status, Findings: []engine.Finding{{Status: status, Title: text}}})
		return err == nil
	}
	leaf := credentials.Server
	add("certificates", engine.OK, fmt.Sprintf("the server certificate names %s, until %s", strings.Join(certs.NamesOf(leaf), ", "), leaf.NotAfter.Format(time.DateOnly)), nil)
	status, note, err := canListen(f.listen)
	add("address", status, note, err)
	version, err := proxy.Ping(ctx, t.DockerStream)
	if add("socket", engine.OK, "dockerd answers, API "+version, err) {
		add("half-close", engine.OK, "the answer arrives after the client has closed its direction", selfTest(ctx, t, a.Now()))
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
	a.ui.Checks(verdict, report)
	if reached := slices.ContainsFunc(checks, func(c proxyCheck) bool { return c.Name == "socket" && c.OK }); !reached {
		a.next(t.Hint(hint.Own("doctor", hint.Machine)))
	}
	return nil
}

// canListen checks whether the proxy can listen on an address. A port in use is only a warning,
// because the proxy itself may use it.
func canListen(addr string) (status engine.Status, note string, err error) {
	l, err := host.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return engine.Warn, addr + " is in use, perhaps by this proxy", nil
	case err != nil:
		return engine.Fail, "", fmt.Errorf("%s: %w", addr, err)
	}
	return engine.OK, addr + " is free", l.Close()
}

// selfTest connects to dockerd through a temporary proxy.
func selfTest(ctx context.Context, t *target.Target, now time.Time) error {
	l, err := host.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return proxy.SelfTest(ctx, l, t.DockerStream, now)
}
