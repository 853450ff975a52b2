//go:build realvbox

package realvbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// forwards checks the NAT rules of the machine default beside ssh's.
func (b *box) forwards(what, name string, want ...string) {
	b.Helper()
	want = append(want, "ssh,tcp,127.0.0.1,50022,,22")
	slices.Sort(want)
	got := b.rules(name)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s, -want +got:\n%s", what, diff)
	}
}

func TestPortsOfAStoppedVM(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	const web, dns = "docker-vpn-helper-add-8080-tcp,tcp,127.0.0.1,8080,,80", "docker-vpn-helper-add-8080-udp,udp,127.0.0.1,8080,,53"
	b.program(0, "ports", "add", "8080:80", "8080:53/udp")
	b.forwards("added", "default", web, dns)
	b.prints(b.program(0, "ports", "add", "8080:80"), "of the VM already")
	b.prints(b.program(1, "ports", "add", "8081", "8080:81"), `NAT rule "docker-vpn-helper-add-8080-tcp" already has port`)
	b.forwards("added again", "default", web, dns)

	const other, named = "web,tcp,,9000,,80", "docker-vpn-helper-add-9001-tcp,tcp,,9002,,80"
	b.manage("modifyvm", "default", "--natpf1", other, "--natpf1", named)
	b.prints(b.program(1, "ports", "add", "8081", "9000"), `NAT rule "web" already has port`)
	b.prints(b.program(1, "ports", "add", "8081", "9001"), `NAT rule "docker-vpn-helper-add-9001-tcp" already has port`)
	b.prints(b.program(1, "ports", "rm", "8080", "8081"), "has no forward of 8081/tcp")
	b.forwards("refused", "default", web, dns, other, named)

	b.program(0, "ports", "rm", "8080")
	b.forwards("removed", "default", dns, other, named)
	b.program(0, "undo")
	b.forwards("removal undone", "default", web, dns, other, named)
	b.program(0, "undo")
	b.forwards("undone", "default", other, named)
}

// VirtualBox takes port 70000 for 4464, and listens at every address where it cannot read one. What
// is refused does not get as far: no VBoxManage has started the service.
func TestPortsRefusedBeforeVirtualBox(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	b.stopService()
	for spec, why := range map[string]string{
		"70000": "from 1 to 65535", "0": "from 1 to 65535", "8080:70000": "from 1 to 65535", "abc": "from 1 to 65535", "8080/sctp": "tcp or udp",
		"::1:8080": "only forward from IPv4 addresses", "[::1]:8080:80": "only forward from IPv4 addresses", "localhost:8080:80": "not an IPv4 address", "999.1.1.1:8080:80": "not an IPv4 address",
	} {
		b.prints(b.program(2, "ports", "add", spec), why)
	}
	b.prints(b.program(2, "ports", "add", "8080:80", "8080:81"), "is already in")
	if pids := b.services(); len(pids) > 0 {
		t.Errorf("VBoxSVC runs: %v", pids)
	}
	b.forwards("refused", "default")
}

func TestThreeHundredPorts(t *testing.T) {
	b := newBox(t, "default", "dev")
	b.device()
	add, direct := []string{"ports", "add", "-H", "default"}, []string{"modifyvm", "dev"}
	var want []string
	for port := 7000; port < 7300; port++ {
		add = append(add, fmt.Sprint(port))
		want = append(want, fmt.Sprintf("docker-vpn-helper-add-%d-tcp,tcp,127.0.0.1,%d,,%d", port, port, port))
		direct = append(direct, "--natpf1", fmt.Sprintf("r%d,tcp,127.0.0.1,%d,,80", port, port+1000))
	}
	began := time.Now()
	b.manage(direct...)
	once := time.Since(began)
	best := time.Hour // VirtualBox's service now and then takes 10 s to answer
	for range 3 {
		began = time.Now()
		b.program(0, add...)
		best = min(best, time.Since(began))
		b.forwards("added", "default", want...)
		b.program(0, append([]string{"ports", "rm"}, add[2:]...)...)
		b.forwards("removed", "default")
	}
	t.Logf("VBoxManage with 300 rules: %s, ports add: %s", once.Round(time.Millisecond), best.Round(time.Millisecond))
	if best > 3*once+2*time.Second { // a call for each rule would take longer
		t.Errorf("ports add took %s, VBoxManage %s", best, once)
	}
}

// Under LC_ALL=C an argument of VBoxManage that is not ASCII ends it with exit status 3.
func TestPortsOfAnOddName(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	const name = "ünïcode машина"
	b.rename(name)
	if a := run(t, "env", "LC_ALL=C", manage, "showvminfo", name); a.exit != 3 {
		t.Errorf("VBoxManage ends with %d under LC_ALL=C, no longer with 3", a.exit)
	}
	for _, step := range []struct{ command, rule string }{
		{"add", "docker-vpn-helper-add-8080-tcp,tcp,127.0.0.1,8080,,8080"},
		{"rm", ""},
	} {
		a := run(t, "env", "LC_ALL=C", program, "ports", step.command, "8080")
		if a.exit != 0 {
			t.Fatalf("ports %s: exit status %d\n%s", step.command, a.exit, a.stderr)
		}
		var want []string
		if step.rule != "" {
			want = append(want, step.rule)
		}
		b.forwards("ports "+step.command, name, want...)
	}
}
