package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	state "github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

func scriptCommands() map[string]command {
	return map[string]command{
		"world": makeWorld, "machine": makeMachine, "start": startMachine, "vm": controlVM, "newer-ca": newerCA, "renew-client": renewClient, "put": putFile,
		"vpn": vpn, "net": hostOnlyNetwork, "reboot": reboot, "sudo-mode": sudoMode, "docker-machine-version": dockerMachineVersion, "guest": guestFault, "dockerd": dockerd, "container": container,
		"forward": forward, "listen": listen, "vbox-fault": vboxFault, "lock": lockMachine,
		"exit": exitCode, "within": within, "await": awaitText, "json": jsonPath, "logins": logins, "starts": starts, "rules": rules,
		"containers": containers, "fetch": fetch, "called": called, "follow": follow, "forget-calls": forgetCalls, "note": note, "same": same, "documented": documented,
	}
}

// duration reads "-1h" and "40d".
func duration(ts *testscript.TestScript, s string) time.Duration {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		ts.Check(err)
		return time.Duration(n) * 24 * time.Hour
	}
	d, err := time.ParseDuration(s)
	ts.Check(err)
	return d
}

// authority reads ca=ecdsa, ca-starts=DURATION and ca-ends=DURATION.
func (o keyValues) authority() fakestore.AuthorityOptions {
	a := fakestore.AuthorityOptions{Algorithm: fakestore.Algorithm(o.take("ca"))}
	if starts := o.take("ca-starts"); starts != "" {
		a.NotBefore = time.Now().Add(duration(o.ts, starts))
	}
	if ends := o.take("ca-ends"); ends != "" {
		a.NotAfter = time.Now().Add(duration(o.ts, ends))
	}
	return a
}

// makeMachine is "machine NAME [key=value…]". The VM is off.
func makeMachine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: machine NAME [names=A,B] [style=systemd] [starts=DURATION] [ends=DURATION] [server-ca=other] [client-ca=other] [ip=A] [nic=N] [engine=V] [api=V] [sans=A,B]")
	}
	w, opts := world(ts), options(ts, args[1:])
	o := embedded.MachineOptions{Options: fakestore.Options{Name: args[0], IP: opts.take("ip"), Driver: opts.take("driver")}, Style: fakedockerhost.Style(opts.take("style"))}
	if names := opts.take("names"); names != "" {
		o.Names = strings.Split(names, ",")
	}
	if sans := opts.take("sans"); sans != "" {
		o.SANs = strings.Split(sans, ",")
	}
	if s := opts.take("starts"); s != "" {
		o.NotBefore = time.Now().Add(duration(ts, s))
	}
	if s := opts.take("ends"); s != "" {
		o.NotAfter = time.Now().Add(duration(ts, s))
	}
	if opts.take("server-ca") == "other" {
		o.ServerCA = otherCA(ts)
	}
	if opts.take("client-ca") == "other" {
		o.ClientCA = otherCA(ts)
	}
	if n := opts.take("nic"); n != "" {
		o.NIC, _ = strconv.Atoi(n)
	}
	engine, api := opts.take("engine"), opts.take("api")
	o.Spec = func(s *fakedockerhost.Spec) { s.Engine, s.API = engine, api }
	opts.done()
	_, err := w.Add(o)
	ts.Check(err)
}

func otherCA(ts *testscript.TestScript) *fakestore.Authority {
	a, err := fakestore.NewAuthority(fakestore.AuthorityOptions{Slot: "other-ca"})
	ts.Check(err)
	return a
}

// newerCA is "newer-ca": the store's certs are those of another CA from now on, as
// docker-machine leaves them for the machines that it was not told to make anew.
func newerCA(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: newer-ca")
	}
	dir, ca := filepath.Join(world(ts).Store.Dir, "certs"), otherCA(ts)
	client, err := ca.Client(world(ts).Store.Client.Key, time.Time{}, time.Time{})
	ts.Check(err)
	for name, data := range map[string][]byte{"ca.pem": ca.CertPEM, "ca-key.pem": ca.KeyPEM, "cert.pem": client.CertPEM} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

// renewClient is "renew-client NAME": the store has a new client certificate, and one
// machine a copy of it, as docker-machine regenerate-certs --client-certs NAME leaves them.
func renewClient(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: renew-client NAME")
	}
	s := world(ts).Store
	client, err := s.CA.Client(s.Client.Key, time.Time{}, time.Time{})
	ts.Check(err)
	for _, dir := range []string{"certs", filepath.Join("machines", args[0])} {
		ts.Check(os.WriteFile(filepath.Join(s.Dir, dir, "cert.pem"), client.CertPEM, 0o600))
	}
}

// putFile is "put NAME PATH FILE": the docker host's file gets the content of the
// script's. "! put NAME PATH" removes it.
func putFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg && len(args) != 2 || !neg && len(args) != 3 {
		ts.Fatalf("usage: put NAME PATH FILE, or ! put NAME PATH")
	}
	path := filepath.Join(world(ts).GuestDir(args[0]), "root", args[1])
	if neg {
		ts.Check(os.Remove(path))
		return
	}
	ts.Check(os.WriteFile(path, []byte(ts.ReadFile(args[2])), 0o644))
}

// startMachine is "start NAME…": it returns when dockerd serves.
func startMachine(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(world(ts).Start(name))
	}
}

// controlVM is "vm NAME poweroff|savestate|pause|resume|kill|forget".
func controlVM(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: vm NAME poweroff|savestate|pause|resume|kill|forget")
	}
	w := world(ts)
	switch args[1] {
	case "kill":
		v, err := fakevbox.Load(w.VBoxHome())
		ts.Check(err)
		p, err := os.FindProcess(v.Find(args[0]).PID)
		ts.Check(err)
		ts.Check(p.Kill())
		ts.Check(embedded.Await("the VM to be gone", func() bool {
			out, err := w.VBoxManage("showvminfo", args[0], "--machinereadable")
			return err == nil && strings.Contains(out, `VMState="aborted"`)
		}))
	case "forget":
		ts.Check(fakevbox.Update(w.VBoxHome(), func(v *fakevbox.VirtualBox) error {
			kept := v.VMs[:0]
			for _, vm := range v.VMs {
				if vm.Name != args[0] {
					kept = append(kept, vm)
				}
			}
			v.VMs = kept
			return nil
		}))
	default:
		_, err := w.VBoxManage("controlvm", args[0], args[1])
		ts.Check(err)
	}
}

// vpn is "vpn on|off".
func vpn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: vpn on|off")
	}
	ts.Check(world(ts).Laptop(func(w *fakelaptop.State) {
		if args[0] == "on" {
			w.VPNOn()
		} else {
			w.VPNOff()
		}
	}))
}

// hostOnlyNetwork is "net missing|stale|colliding|down|ok": the host-only network.
func hostOnlyNetwork(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: net missing|stale|colliding|down|ok")
	}
	ts.Check(world(ts).Laptop(func(w *fakelaptop.State) {
		fresh := fakelaptop.New(w.OS)
		w.Links, w.Routes = fresh.Links, fresh.Routes
		hostOnly := len(w.Routes) - 1
		switch args[0] {
		case "missing":
			w.Routes = w.Routes[:hostOnly]
		case "stale":
			w.Routes[hostOnly].Dead = true
		case "colliding":
			w.Links[1].Addrs = append(w.Links[1].Addrs, fakelaptop.HostOnly())
			w.Routes[hostOnly].Link = w.Links[1].Name
		case "down":
			w.Links[2].Down, w.Links[2].Addrs = true, nil
			w.Routes = w.Routes[:hostOnly]
		case "ok":
		default:
			ts.Fatalf("unknown network %q", args[0])
		}
	}))
}

// reboot is "reboot": the laptop's boot is another one, and its network is as VirtualBox
// makes it. VMs go on, as if somebody had resumed them.
func reboot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: reboot")
	}
	ts.Check(world(ts).Laptop(func(w *fakelaptop.State) {
		fresh := fakelaptop.New(w.OS)
		w.Links, w.Routes = fresh.Links, fresh.Routes
		w.Boots++
	}))
}

func setSudo(w *embedded.Lab, mode string) error {
	return w.Laptop(func(o *fakelaptop.State) { o.Sudo = mode })
}

// sudoMode is "sudo-mode root|cached|password".
func sudoMode(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(setSudo(world(ts), args[0]))
}

// dockerMachineVersion is "docker-machine-version V".
func dockerMachineVersion(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: docker-machine-version V")
	}
	ts.Check(world(ts).Laptop(func(l *fakelaptop.State) { l.DockerMachine = args[0] }))
}

// guestFault is "guest NAME FAULT [PARAM…]"; "! guest NAME FAULT" clears it.
func guestFault(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: guest NAME FAULT [PARAM…]")
	}
	dir := world(ts).GuestDir(args[0])
	if neg {
		ts.Check(fakedockerhost.ClearFault(dir, args[1]))
		return
	}
	ts.Check(fakedockerhost.SetFault(dir, args[1], strings.Join(args[2:], " ")))
}

// dockerd is "dockerd NAME stop|kill".
func dockerd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dockerd NAME stop|kill")
	}
	dir := world(ts).GuestDir(args[0])
	switch args[1] {
	case "stop":
		ts.Check(fakedockerhost.StopDaemon(dir))
	case "kill":
		p, err := os.FindProcess(fakedockerhost.DaemonPID(dir))
		ts.Check(err)
		ts.Check(p.Kill())
	}
	ts.Check(embedded.Await("dockerd to be gone", func() bool { return fakedockerhost.DaemonPID(dir) == 0 }))
}

// container is "container MACHINE NAME POLICY [PORT…]": one that runs, with published ports
// as docker run -p takes them. "! container MACHINE NAME" removes it.
func container(ts *testscript.TestScript, neg bool, args []string) {
	if neg && len(args) != 2 || !neg && len(args) < 3 {
		ts.Fatalf("usage: container MACHINE NAME POLICY [PORT…], or ! container MACHINE NAME")
	}
	dir := world(ts).GuestDir(args[0])
	if neg {
		ts.Check(fakedockerhost.RemoveContainer(dir, args[1]))
		return
	}
	var published []fakedockerhost.Port
	for _, spec := range args[3:] {
		p, err := fakedockerhost.ParsePort(spec)
		ts.Check(err)
		published = append(published, p)
	}
	ts.Check(fakedockerhost.AddContainer(dir, args[1], args[2], published...))
}

// forward is "forward NAME RULE", RULE as VBoxManage takes it, on adapter 1.
func forward(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forward NAME RULE")
	}
	w := world(ts)
	if _, err := w.VBoxManage("controlvm", args[0], "natpf1", args[1]); err != nil {
		_, err = w.VBoxManage("modifyvm", args[0], "--natpf1", args[1])
		ts.Check(err)
	}
}

// listen is "listen PORT": this process takes the port; "! listen PORT" gives it back.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	held := at(ts).held
	if neg {
		held[args[0]].Close()
		delete(held, args[0])
		return
	}
	ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", args[0]))
	ts.Check(err)
	held[args[0]] = ln
}

// vboxFault is "vbox-fault TIMES not-ready|warns|hang ARGS…", ARGS the beginning of the call.
func vboxFault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: vbox-fault TIMES not-ready|error-exit-0|fails ARGS…")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	f := fakevbox.Fault{Match: strings.Join(args[2:], " "), Times: times, Exit: 1}
	switch args[1] {
	case "not-ready":
		f.Stderr = fakevbox.NotReady
	case "error-exit-0":
		f.Exit, f.Stderr = 0, "VBoxManage: error: The VM session was closed before any attempt to power it on\n"
	case "fails":
		f.Stderr = "VBoxManage: error: Code NS_ERROR_FAILURE (0x80004005) - Operation failed (extended info not available)\n"
	default:
		ts.Fatalf("unknown fault %q", args[1])
	}
	ts.Check(fakevbox.Update(world(ts).VBoxHome(), func(w *fakevbox.VirtualBox) error {
		w.Faults = append(w.Faults, f)
		return nil
	}))
}

// lockMachine is "lock NAME": another run works on the machine. "! lock NAME" ends it.
func lockMachine(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: lock NAME, or ! lock NAME")
	}
	locks := at(ts).locks
	if neg {
		locks[args[0]]()
		delete(locks, args[0])
		return
	}
	dir := state.MachineState(state.StateDir(ts.Getenv, ts.Getenv("HOME")), world(ts).Store.Dir, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	unlock, err := host.NewLocal(host.Sudo{}).Lock(ctx, filepath.Join(dir, "lock"), nil)
	ts.Check(err)
	locks[args[0]] = unlock
}
