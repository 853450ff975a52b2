package layers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	network "github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// TestMachines reads testdata/machines, one computer in each file, and compares what doctor and fix
// print and do there with what the file expects. A file is a transcript (see package hosttest). Its
// first lines name the versions, and the source for their behavior. It also has these sections:
//
//	machine   the store's entry, in lines "key value": name, driver, ip, cidr, sshport, user, names
//	          (of the served certificate), settings (the VM's settings file exists), unfinished
//	          (docker-machine create failed), config (JSON that is merged into config.json),
//	          no-certificates (the machine's directory has none), by-hand (the store has only the
//	          files that docker needs), any-use (the served certificate has no extended key usage),
//	          client no (the docker host has no docker command), and fix's flags port and stop-vms.
//	          At an "open" address of the computer, sshd answers on port 22 and sshport, and
//	          dockerd on other ports.
//	doctor    a line for each layer with its status and codes, its changes after "+", and the
//	          cause; for some codes also title and hint. To write it, run the test, check what the
//	          failure prints, and copy it here
//	fix       the commands that change something, in order, and how it ended; without this section
//	          fix is not run
func TestMachines(t *testing.T) {
	eachMachine(t, func(t *testing.T, m transcript) {
		compareText(t, "doctor", m.doctor, m.diagnose(t))
		if m.fix != "" {
			compareText(t, "fix", m.fix, m.repair(t))
		}
	})
}

// eachMachine runs a test on every transcript machine.
func eachMachine(t *testing.T, do func(*testing.T, transcript)) {
	files, err := filepath.Glob("testdata/machines/*.txtar")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d machines, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			do(t, readMachine(t, file))
		})
	}
}

// transcript is one file of testdata/machines.
type transcript struct {
	computer    []byte
	entry       map[string]string
	doctor, fix string
}

func readMachine(t *testing.T, file string) transcript {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(a.Comment), "VirtualBox") && !strings.Contains(string(a.Comment), "driver") || !strings.Contains(string(a.Comment), "Source") {
		t.Errorf("the first lines name no VirtualBox or driver, or no source:\n%s", a.Comment)
	}
	m := transcript{entry: map[string]string{}}
	rest := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		switch f.Name {
		case "machine":
			for line := range strings.Lines(string(f.Data)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				m.entry[key] = value
			}
		case "doctor":
			m.doctor = string(f.Data)
		case "fix":
			m.fix = string(f.Data)
		default:
			rest.Files = append(rest.Files, f)
		}
	}
	m.computer = txtar.Format(rest)
	return m
}

// world returns the transcript's computer as a target with a store and a docker host.
func (m transcript) world(t *testing.T) (*target.Target, *hosttest.Computer) {
	t.Helper()
	c := hosttest.New(t, m.computer)
	return m.on(t, c, nil), c
}

// on returns the target on a computer, whose commands the stand-in runs unless it is nil.
func (m transcript) on(t *testing.T, c *hosttest.Computer, s *standIn) *target.Target {
	t.Helper()
	l, store := m.laptop(t, c)
	l.standIn = s
	return m.target(t, l, store)
}

// laptop returns the computer with a store and a docker host, and the store's directory.
func (m transcript) laptop(t *testing.T, c *hosttest.Computer) (*laptop, string) {
	t.Helper()
	dir, name := t.TempDir(), m.value("name", "default")
	s, err := fakestore.NewStore(dir, fakestore.StoreOptions{})
	check(t, err)
	port, _ := strconv.Atoi(m.value("sshport", "50022"))
	o := fakestore.Options{Name: name, Driver: m.value("driver", "virtualbox"), IP: m.value("ip", "192.168.99.100"), HostOnlyCIDR: m.value("cidr", "192.168.99.1/24"),
		SSHPort: port, SSHUser: m.value("user", "docker")}
	if names := m.entry["names"]; names != "" {
		o.Names = strings.Split(names, ",")
	}
	_, o.AnyUse = m.entry["any-use"]
	made, err := s.Add(o)
	check(t, err)
	if _, ok := m.entry["settings"]; ok {
		file := filepath.Join(made.Dir, name, name+".vbox")
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte("<VirtualBox/>\n"), 0o600))
	}
	if patch := m.entry["config"]; patch != "" {
		merge(t, made.Dir, patch)
	}
	if _, ok := m.entry["no-certificates"]; ok {
		for _, f := range machineCertificates() {
			check(t, os.Remove(filepath.Join(made.Dir, f)))
		}
	}
	if _, ok := m.entry["unfinished"]; ok {
		unfinished(t, made.Dir)
	}
	if _, ok := m.entry["by-hand"]; ok {
		byHand(t, dir, made.Dir)
	}
	return &laptop{Computer: c, t: t, real: dir, guest: serve(t, s, made, m.value("client", "yes") == "yes"), sshPort: m.value("sshport", "50022")}, dir
}

// target returns the machine of the store in a directory.
func (m transcript) target(t *testing.T, l *laptop, dir string) *target.Target {
	t.Helper()
	opened, err := store.Open(l, dir)
	check(t, err)
	entry, err := opened.Load(t.Context(), m.value("name", "default"))
	check(t, err)
	tgt := &target.Target{Laptop: l, Store: opened, Getenv: func(string) string { return "" }, Now: time.Now,
		StateDir: filepath.Join(dir, "state"), Owners: &memo.Of[map[string]string]{}, Notify: t.Logf, DockerCLI: dockercli.New(l)}
	tgt.Network = network.New(l)
	tgt.VirtualBox = virtualbox.New(l, func() bool { return tgt.Mode.IsRepair() })
	tgt.SetMachine(entry)
	tgt.Guest.DaemonWait = 2 * time.Second
	_, tgt.StopVMs = m.entry["stop-vms"]
	tgt.RulePort, _ = strconv.Atoi(m.entry["port"])
	t.Cleanup(tgt.Close)
	return tgt
}

func (m transcript) value(key, otherwise string) string {
	if v, ok := m.entry[key]; ok {
		return v
	}
	return otherwise
}

func (m transcript) diagnose(t *testing.T) string {
	t.Helper()
	tgt, _ := m.world(t)
	r := diagnoseOn(t, tgt)
	planHasEndpointsPort(t, r)
	var b strings.Builder
	for _, l := range r.Layers {
		fmt.Fprintf(&b, "%s %s", l.Layer, l.Status)
		if l.BlockedBy != "" {
			fmt.Fprintf(&b, " by %s", l.BlockedBy)
		}
		for _, f := range slices.Concat(l.Findings, l.Hidden) {
			fromTable(t, l.Layer, f)
		}
		for _, f := range l.Findings {
			fmt.Fprintf(&b, " %s", f.Code)
			if f.Status == engine.Unknown {
				t.Logf("%s: %s", f.Code, f.Title)
			}
			// What a person reads belongs to the report where something is wrong.
			if f.Status != engine.OK && (l.Layer == "machine" || l.Layer == "route" || f.Code == "ssh.rule-missing") {
				fmt.Fprintf(&b, "\n  %s\n  %q", f.Title, f.Hint.String())
			}
		}
		b.WriteString("\n")
		for _, c := range l.Changes {
			fmt.Fprintf(&b, "  + %s\n", c)
		}
	}
	fmt.Fprintf(&b, "cause %s\n", r.Cause)
	return m.plain(tgt, b.String())
}

// plain replaces what differs between runs.
func (m transcript) plain(t *target.Target, text string) string {
	return strings.ReplaceAll(text, t.Machine.StoreDir, "STORE")
}

func (m transcript) repair(t *testing.T) string {
	t.Helper()
	tgt, c := m.world(t)
	err := repairOn(t, tgt)
	var b strings.Builder
	for _, cmd := range c.Ran() {
		words := strings.Fields(cmd)
		if words[0] == "#" || words[1] == "VBoxManage" && slices.Contains([]string{"controlvm", "modifyvm", "startvm", "hostonlyif"}, words[2]) {
			fmt.Fprintln(&b, cmd)
		}
	}
	if err == nil {
		b.WriteString("repaired\n")
	} else {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	var failed *engine.RollbackError
	if errors.As(err, &failed) {
		t.Error("the rollback is incomplete")
	}
	return m.plain(tgt, b.String())
}

// diagnoseOn runs doctor on a target.
func diagnoseOn(t *testing.T, tgt *target.Target) engine.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return engine.Diagnose(ctx, tgt, All(), agrees{})
}

// repairOn runs fix on a target.
func repairOn(t *testing.T, tgt *target.Target) error {
	t.Helper()
	tgt.Mode = mode.RepairWaiting(300 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	session, err := engine.Lock(ctx, engine.Job{Dir: t.TempDir(), Laptop: tgt.Laptop, Open: func() (*target.Target, error) { return tgt, nil },
		Command: "fix", Machine: tgt.Machine.Name, Sink: agrees{}, Now: time.Now})
	check(t, err)
	defer session.Close()
	_, err = session.Fix(ctx, ctx, All())
	return err
}

// agrees is a sink that confirms every change and shows nothing.
type agrees struct{}

func (agrees) Event(engine.Event)                            {}
func (agrees) Confirm(context.Context, string, string) error { return nil }
func (agrees) CanAsk() bool                                  { return false }

func compareText(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s\nin full:\n%s", what, diff, got)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
