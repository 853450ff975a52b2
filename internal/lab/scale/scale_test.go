package scale_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/scale"
)

const program = "docker-vpn-helper"

// TestMain turns this binary into the program and everything that it calls.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(cli.Main(os.Args[1:], cli.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Getenv: os.Getenv, Signals: host.Signals, Laptop: embedded.Laptop, Version: "test", Now: time.Now}))
	}
	if filepath.Base(os.Args[0]) == "VBoxManage" {
		os.Exit(scale.MainVBoxManage(os.Args[1:]))
	}
	if code, ok := embedded.Dispatch(); ok {
		os.Exit(code)
	}
	if filepath.Base(os.Args[0]) == scale.NAT {
		os.Exit(scale.MainNAT(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// run is one run of the program over a whole store.
type run struct {
	took   time.Duration
	memory int64 // peak, bytes
	exit   int
	out    []byte
}

func fleet(t *testing.T, system string, n int) *scale.Fleet {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	if err := embedded.Link(bin, exe, program, scale.NAT); err != nil {
		t.Fatal(err)
	}
	f, err := scale.New(t.TempDir(), bin, system, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func measure(t *testing.T, f *scale.Fleet, args ...string) run {
	t.Helper()
	cmd := exec.Command(filepath.Join(f.Bin, program), args...)
	cmd.Env = append([]string{"PATH=" + f.Bin, "LANG=C.UTF-8"}, f.Env()...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begun := time.Now()
	err := cmd.Run()
	r := run{took: time.Since(begun), out: out.Bytes(), exit: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Errorf("%v said on stderr:\n%s", args, errs.String())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.memory = usage.Maxrss
		if r.memory < 1<<30 && system() == host.Linux {
			r.memory *= 1024 // kilobytes there
		}
	}
	t.Logf("%v: %s, %s of it computing (with VBoxManage and the like), %.1f MiB", args, r.took.Round(time.Millisecond),
		(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Millisecond), float64(r.memory)/(1<<20))
	return r
}

func system() string { return host.NewLocal(host.Sudo{}).OS() }

// verdict is what is wanted of each machine.
type verdict struct{ Machine, Status, Cause string }

func wanted(n int) []verdict {
	all := make([]verdict, n)
	for i := range all {
		all[i] = map[scale.Kind]verdict{
			scale.Healthy:    {Status: "warn", Cause: "route.hijacked"},
			scale.Off:        {Status: "fail", Cause: "machine.not-running"},
			scale.Silent:     {Status: "fail", Cause: "ssh.timeout"},
			scale.Unreadable: {Status: "fail", Cause: "machine.config-unreadable"},
		}[scale.KindOf(i)]
		all[i].Machine = scale.Name(i)
	}
	return all
}

func doctor(t *testing.T, f *scale.Fleet, n int) run {
	t.Helper()
	r := measure(t, f, "doctor", "--all", "--json")
	var got []verdict
	for d := json.NewDecoder(bytes.NewReader(r.out)); d.More(); {
		var v verdict
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(wanted(n), got); diff != "" {
		t.Errorf("doctor --all (-want +got):\n%s", diff)
	}
	if r.exit != 1 {
		t.Errorf("doctor --all: exit %d, want 1", r.exit)
	}
	return r
}

// row is what is wanted of each line of ls.
type row struct {
	Name, State string
	Works       bool
}

func ls(t *testing.T, f *scale.Fleet, n int) run {
	t.Helper()
	r := measure(t, f, "ls", "--json")
	var list struct {
		Machines []struct{ Name, State, Endpoint, Problem string }
	}
	if err := json.Unmarshal(r.out, &list); err != nil {
		t.Fatal(err)
	}
	want, got := make([]row, n), []row{}
	for i := range want {
		want[i] = map[scale.Kind]row{
			scale.Healthy: {State: "running", Works: true}, scale.Off: {State: "poweroff"},
			scale.Silent: {State: "running"}, scale.Unreadable: {State: "unreadable"},
		}[scale.KindOf(i)]
		want[i].Name = scale.Name(i)
	}
	for _, m := range list.Machines {
		got = append(got, row{m.Name, m.State, m.Endpoint != "" && m.Problem == ""})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ls (-want +got):\n%s", diff)
	}
	return r
}

// calls compares how often VBoxManage was asked since the last look.
func calls(t *testing.T, f *scale.Fleet, want map[string]int) {
	t.Helper()
	got, err := f.Calls()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls of VBoxManage (-want +got):\n%s", diff)
	}
}

// VirtualBox is asked which VMs there are, and for details of those alone.
func TestCallsOfVBoxManage(t *testing.T) {
	const n, readable = 24, 18
	f := fleet(t, host.Linux, n)
	ls(t, f, n)
	calls(t, f, map[string]int{"list": 2, "showvminfo": n})
	doctor(t, f, n)
	calls(t, f, map[string]int{"list": 2, "showvminfo": n, "--version": 1, "guestproperty": n / 2})

	if err := f.Unregister(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args    []string
		missing string
	}{
		{[]string{"ls", "--json"}, `"state":"missing"`},
		{[]string{"doctor", "--all", "--json"}, `"cause":"machine.missing"`},
	} {
		r := measure(t, f, c.args...)
		calls(t, f, map[string]int{"list": 2})
		if got := bytes.Count(r.out, []byte(c.missing)); got != readable {
			t.Errorf("%v: %d machines are missing, want %d", c.args, got, readable)
		}
	}
}

// Every machine is there, in order, whatever becomes of the others.
func TestWholeStore(t *testing.T) {
	for _, system := range []string{host.Linux, host.Darwin} {
		t.Run(system, func(t *testing.T) {
			const n = 20
			f := fleet(t, system, n)
			doctor(t, f, n)
			ls(t, f, n)
		})
	}
}
