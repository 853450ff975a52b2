package fakevbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/google/go-cmp/cmp"
)

type box struct {
	t    *testing.T
	home string
}

// newBox is a VirtualBox with one VM "default" as docker-machine makes it.
func newBox(t *testing.T, change func(*fakevbox.VirtualBox)) *box {
	t.Helper()
	home, err := os.MkdirTemp("", "vb")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKEVBOX_HOME", home)
	t.Setenv("FAKEVBOX_WATCH", fmt.Sprint(os.Getpid()))
	t.Cleanup(func() {
		if err := fakevbox.StopAll(home); err != nil {
			t.Error(err)
		}
		os.RemoveAll(home)
	})
	if err := fakevbox.Update(home, func(w *fakevbox.VirtualBox) error {
		w.VMs = []*fakevbox.VM{{
			Name: "default", UUID: "4e1a5f0c-0000-4000-8000-000000000001", CfgFile: filepath.Join(home, "default", "default.vbox"), State: "poweroff",
			IP: "192.168.99.100", Guest: fakevbox.GuestRef{Kind: "echo"},
			NICs: []fakevbox.NIC{{Attachment: "nat", MAC: "080027000001"}, {Attachment: "hostonly", Adapter: "vboxnet0", MAC: "080027000002"}},
		}}
		if change != nil {
			change(w)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return &box{t, home}
}

func (b *box) call(args ...string) (stdout, stderr string, exit int) {
	var o, e bytes.Buffer
	exit = fakevbox.Manage(args, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), exit
}

func (b *box) ok(args ...string) string {
	b.t.Helper()
	o, e, exit := b.call(args...)
	if exit != 0 {
		b.t.Fatalf("VBoxManage %v: exit %d: %s", args, exit, e)
	}
	return o
}

func (b *box) fails(text string, args ...string) {
	b.t.Helper()
	if _, e, exit := b.call(args...); exit == 0 || !strings.Contains(e, text) {
		b.t.Errorf("VBoxManage %v: exit %d, stderr %q, want %q", args, exit, e, text)
	}
}

func (b *box) state() string {
	b.t.Helper()
	m := regexp.MustCompile(`(?m)^VMState="(\w+)"`).FindStringSubmatch(b.ok("showvminfo", "default", "--machinereadable"))
	if m == nil {
		b.t.Fatal("no VMState")
	}
	return m[1]
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func dial(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return c
}

func echoes(t *testing.T, c net.Conn) {
	t.Helper()
	buf := make([]byte, 5)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("got %q, %v", buf, err)
	}
}

func TestRuleAddedWhileRunningCarriesBytes(t *testing.T) {
	b := newBox(t, nil)
	b.ok("startvm", "default", "--type", "headless")
	if s := b.state(); s != "running" {
		t.Fatalf("state %s", s)
	}
	port := freePort(t)
	b.ok("controlvm", "default", "natpf1", fmt.Sprintf("echo,tcp,127.0.0.1,%d,,7", port))
	echoes(t, dial(t, port))
	if o := b.ok("showvminfo", "default", "--machinereadable"); !strings.Contains(o, fmt.Sprintf(`Forwarding(0)="echo,tcp,127.0.0.1,%d,,7"`, port)) {
		t.Errorf("no rule in %s", o)
	}
	b.ok("controlvm", "default", "natpf1", "delete", "echo")
	if c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		c.Close()
		t.Error("the port still listens")
	}
}

func TestGuestPortClosedStillConnects(t *testing.T) {
	b := newBox(t, nil)
	port := freePort(t)
	b.ok("modifyvm", "default", "--natpf1", fmt.Sprintf("docker,tcp,127.0.0.1,%d,,2376", port))
	b.ok("startvm", "default", "--type", "headless")
	if _, err := dial(t, port).Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
}

func TestPortTakenIsSilent(t *testing.T) {
	b := newBox(t, nil)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b.ok("startvm", "default", "--type", "headless")
	b.ok("controlvm", "default", "natpf1", fmt.Sprintf("echo,tcp,127.0.0.1,%d,,7", ln.Addr().(*net.TCPAddr).Port))
}

func TestStatesAndTheirErrors(t *testing.T) {
	b := newBox(t, nil)
	b.fails("Could not find a registered machine named 'nope'", "showvminfo", "nope", "--machinereadable")
	b.fails("is not currently running", "controlvm", "default", "natpf1", "a,tcp,,1,,2")
	b.ok("startvm", "default", "--type", "headless")
	b.fails("is already locked by a session", "startvm", "default", "--type", "headless")
	b.fails("is already locked for a session", "modifyvm", "default", "--natpf1", "a,tcp,,1,,2")
	b.ok("controlvm", "default", "pause")
	if s := b.state(); s != "paused" {
		t.Errorf("state %s", s)
	}
	b.ok("controlvm", "default", "resume")
	b.ok("controlvm", "default", "savestate")
	if s := b.state(); s != "saved" {
		t.Errorf("state %s", s)
	}
	b.fails("The machine is not mutable (state is Saved)", "modifyvm", "default", "--nic2", "nat")
	b.ok("modifyvm", "default", "--natpf1", "saved,tcp,,7,,8")
	b.ok("modifyvm", "default", "--natpf1", "delete", "saved")
	b.ok("startvm", "default", "--type", "headless")
	b.ok("controlvm", "default", "acpipowerbutton")
	for deadline := time.Now().Add(5 * time.Second); b.state() != "poweroff"; {
		if time.Now().After(deadline) {
			t.Fatalf("state %s", b.state())
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.ok("modifyvm", "default", "--natpf1", "a,tcp,,1,,2")
	b.fails("A NAT rule of this name already exists", "modifyvm", "default", "--natpf1", "a,tcp,,3,,4")
	b.fails("NS_ERROR_INVALID_ARG", "modifyvm", "default", "--natpf1", "delete", "b")
}

func TestKilledVMIsAborted(t *testing.T) {
	b := newBox(t, nil)
	b.ok("startvm", "default", "--type", "headless")
	w, err := fakevbox.Load(b.home)
	if err != nil {
		t.Fatal(err)
	}
	pid := w.Find("default").PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); b.state() != "aborted"; {
		if time.Now().After(deadline) {
			t.Fatalf("state %s", b.state())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if o := b.ok("list", "runningvms"); o != "" {
		t.Errorf("running: %s", o)
	}
}

func TestObjectNotReadyTwice(t *testing.T) {
	b := newBox(t, func(w *fakevbox.VirtualBox) {
		w.Faults = []fakevbox.Fault{{Match: "showvminfo", Times: 2, Stderr: fakevbox.NotReady, Exit: 1}}
	})
	for range 2 {
		b.fails("The object is not ready", "showvminfo", "default", "--machinereadable")
	}
	b.ok("showvminfo", "default", "--machinereadable")
}

func TestHostOnlyAdapterOutsideTheAllowedRange(t *testing.T) {
	b := newBox(t, func(w *fakevbox.VirtualBox) { w.Version = "6.1.28r147628" })
	if o := b.ok("hostonlyif", "create"); !strings.Contains(o, "Interface 'vboxnet0' was successfully created") {
		t.Error(o)
	}
	b.fails("E_ACCESSDENIED", "hostonlyif", "ipconfig", "vboxnet0", "--ip", "192.168.99.1", "--netmask", "255.255.255.0")
	b.ok("hostonlyif", "ipconfig", "vboxnet0", "--ip", "192.168.59.1", "--netmask", "255.255.255.0")
}

func TestVirtualBox7OnAMacHasNoAdapters(t *testing.T) {
	b := newBox(t, func(w *fakevbox.VirtualBox) { w.Version, w.Platform = "7.0.20r163906", "darwin" })
	b.fails("/dev/vboxnetctl", "hostonlyif", "create")
	b.fails("Host-only adapters are no longer supported!", "startvm", "default", "--type", "headless")
}

func TestHostOnlyAddressReachesTheGuest(t *testing.T) {
	b := newBox(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := fakevbox.DialHostOnly(ctx, b.home, "192.168.99.100", 7); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("VM off: %v", err)
	}
	b.ok("startvm", "default", "--type", "headless")
	c, err := fakevbox.DialHostOnly(ctx, b.home, "192.168.99.100", 7)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echoes(t, c)
	if _, err := fakevbox.DialHostOnly(ctx, b.home, "192.168.99.100", 2376); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v", err)
	}
}

func TestRulesAddedAtTheSameTimeAreAllKept(t *testing.T) {
	b := newBox(t, nil)
	b.ok("startvm", "default", "--type", "headless")
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() { b.call("controlvm", "default", "natpf1", fmt.Sprintf("r%d,udp,127.0.0.1,%d,,7", i, 1000+i)) })
	}
	wg.Wait()
	if n := strings.Count(b.ok("showvminfo", "default", "--machinereadable"), "Forwarding("); n != 10 {
		t.Errorf("%d rules", n)
	}
}

func TestCreateAsDockerMachineDoes(t *testing.T) {
	b := newBox(t, nil)
	base := t.TempDir()
	for _, line := range []string{
		"createvm --basefolder " + base + " --name dev --register",
		"modifyvm dev --firmware bios --bioslogofadein off --cpus 1 --memory 1024 --acpi on --boot1 dvd",
		"modifyvm dev --nic1 nat --nictype1 82540EM --cableconnected1 on",
		"storagectl dev --name SATA --add sata --hostiocache on",
		"storageattach dev --storagectl SATA --port 1 --device 0 --type hdd --medium " + base + "/disk.vmdk",
		"guestproperty set dev /VirtualBox/GuestAdd/SharedFolders/MountPrefix /",
		"modifyvm dev --nic2 hostonly --nictype2 82540EM --nicpromisc2 deny --hostonlyadapter2 vboxnet0 --cableconnected2 on",
		"modifyvm dev --natpf1 ssh,tcp,127.0.0.1,0,,22",
	} {
		b.ok(strings.Fields(line)...)
	}
	info := b.ok("showvminfo", "dev", "--machinereadable")
	for _, want := range []string{`cpus=1`, `memory=1024`, `"SATA-1-0"="` + base + `/disk.vmdk"`, `hostonlyadapter2="vboxnet0"`, `nic1="nat"`} {
		if !strings.Contains(info, want+"\n") {
			t.Errorf("no %s in\n%s", want, info)
		}
	}
	if !regexp.MustCompile(`macaddress2="080027[0-9A-F]{6}"`).MatchString(info) {
		t.Error("no MAC")
	}
	b.ok("unregistervm", "--delete", "dev")
	if diff := cmp.Diff("\"default\" {4e1a5f0c-0000-4000-8000-000000000001}\n", b.ok("list", "vms")); diff != "" {
		t.Error(diff)
	}
}
