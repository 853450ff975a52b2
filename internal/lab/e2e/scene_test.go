//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// patience bounds every single step of a test on a busy computer.
const patience = 90 * time.Second

// ipOnly are the names of a certificate that docker-machine made before 0.5.0.
func ipOnly() []string { return []string{"192.168.99.100"} }

// scene is a lab with one machine, and what a test does in it.
type scene struct {
	*testing.T
	lab   *lab.Lab
	store *fakestore.Store
	*host
}

// host is a machine with its docker host.
type host struct {
	m  *fakestore.Machine
	vm *nsguest.VM
}

// off makes a lab whose machine "default" is not started yet.
func off(t *testing.T, style nsguest.Style, o fakestore.Options) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{T: t}
	ctx := s.ctx()
	var err error
	if s.lab, err = lab.Up(ctx, "", built.lab); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() && s.host != nil {
			t.Log(s.vm.Log())
		}
		if err := s.lab.Down(ctx); err != nil {
			t.Errorf("taking the lab down: %v", err)
		}
	})
	s.must(s.lab.DieWithMe())
	s.must(os.Symlink(built.helper, filepath.Join(s.lab.Dir(), "bin", "docker-vpn-helper")))
	if s.store, err = s.lab.NewStore(fakestore.StoreOptions{}); err != nil {
		t.Fatal(err)
	}
	s.host = s.add(style, o)
	return s
}

// on makes a lab whose machine "default" runs.
func on(t *testing.T, style nsguest.Style, o fakestore.Options) *scene {
	t.Helper()
	s := off(t, style, o)
	s.start(s.host)
	return s
}

func (s *scene) add(style nsguest.Style, o fakestore.Options) *host {
	s.Helper()
	m, v, err := s.lab.AddMachine(s.store, style, o)
	s.must(err)
	return &host{m, v}
}

func (s *scene) start(h *host) {
	s.Helper()
	s.must(s.lab.StartMachine(s.ctx(), h.m.Name))
}

func (s *scene) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.Cleanup(cancel)
	return ctx
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// helper runs the program on the laptop.
func (s *scene) helper(args ...string) lab.Result {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), nil, append([]string{"docker-vpn-helper"}, args...)...)
	s.must(err)
	return r
}

// fixed is what `fix --json` prints.
type fixed struct {
	report
	Applied    []string          `json:"applied"`
	RolledBack bool              `json:"rolled_back"`
	Journal    string            `json:"journal"`
	Env        map[string]string `json:"env"`
}

// fix repairs a machine and wants it healthy afterwards. Whatever it had to do,
// one login must have been enough.
func (s *scene) fix(args ...string) fixed {
	s.Helper()
	before := s.logins()
	r := s.helper(append([]string{"--json", "fix", "--yes"}, args...)...)
	if r.Exit != 0 {
		s.Fatalf("fix %v: exit %d\n%s%s", args, r.Exit, r.Stdout, r.Stderr)
	}
	if n := s.logins() - before; n > 1 {
		s.Errorf("fix %v logged in %d times", args, n)
	}
	var f fixed
	s.decode(r.Stdout, &f)
	return f
}

// report is what `doctor --json` prints, without the states.
type report struct {
	Status, Cause, Endpoint string
	Layers                  []struct {
		Layer, Status string
		BlockedBy     string `json:"blocked_by"`
		Findings      []struct{ Code, Status, Title, Hint string }
		Changes       []string
	}
}

func (s *scene) doctor(args ...string) (report, lab.Result) {
	s.Helper()
	before := s.logins()
	res := s.helper(append([]string{"--json", "doctor"}, args...)...)
	if n := s.logins() - before; n > 1 {
		s.Errorf("doctor logged in %d times", n)
	}
	var r report
	s.decode(res.Stdout, &r)
	return r, res
}

func (r report) codes() []string {
	var codes []string
	for _, l := range r.Layers {
		for _, f := range l.Findings {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func (s *scene) decode(text string, to any) {
	s.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(to); err != nil {
		s.Fatalf("not one JSON object: %v\n%s", err, text)
	}
}

// logins counts the SSH logins on all docker hosts of the lab.
func (s *scene) logins() int {
	s.Helper()
	dirs, err := filepath.Glob(filepath.Join(s.lab.Dir(), "vms", "*"))
	s.must(err)
	sum := 0
	for _, d := range dirs {
		v, err := nsguest.Open(d)
		s.must(err)
		n, err := v.Logins()
		s.must(err)
		sum += n
	}
	return sum
}

// vpn turns the VPN on or off.
func (s *scene) vpn(on bool) {
	s.Helper()
	if !on {
		s.must(s.lab.VPN().Disconnect(s.ctx()))
		s.wantRoute("eth0")
		return
	}
	s.must(s.lab.VPN().Connect(s.ctx(), false))
	s.wantRoute("utun0")
}

func (s *scene) wantRoute(dev string) {
	s.Helper()
	if got := s.lab.Route(s.ctx(), s.m.IP); got != dev {
		s.Fatalf("%s leaves by %q, want %s", s.m.IP, got, dev)
	}
}

func (s *scene) vbox(args ...string) string {
	s.Helper()
	out, err := s.lab.VBoxManage(s.ctx(), args...)
	s.must(err)
	return out
}

// rules are the NAT rules of a machine as VirtualBox lists them, but for docker-machine's own.
func (s *scene) rules(name string) []string {
	s.Helper()
	var rules []string
	for _, m := range regexp.MustCompile(`(?m)^Forwarding\(\d+\)="(.*)"`).FindAllStringSubmatch(s.vbox("showvminfo", name, "--machinereadable"), -1) {
		if !strings.HasPrefix(m[1], "ssh,") {
			rules = append(rules, m[1])
		}
	}
	return rules
}

// forward adds a NAT rule to a machine that is switched off.
func (s *scene) forward(h *host, port int) {
	s.Helper()
	s.vbox("modifyvm", h.m.Name, "--natpf1", fmt.Sprintf("docker-vpn-helper,tcp,127.0.0.1,%d,,2376", port))
}

// shell runs a script in bash on the laptop and wants it to succeed.
func (s *scene) shell(script string) string {
	s.Helper()
	r, err := s.lab.Run(s.ctx(), nil, "bash", "-euc", script)
	s.must(err)
	if r.Exit != 0 {
		s.Fatalf("exit %d of:\n%s\n%s%s", r.Exit, script, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

func (s *scene) same(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
