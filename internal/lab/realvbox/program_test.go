//go:build realvbox

package realvbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Without the kernel module the launcher warns on standard output before every answer.
func TestKernelModuleMissing(t *testing.T) {
	b := newBox(t, "default")
	a := b.program(1, "doctor")
	b.prints(a, "machine.driver-not-loaded")
	b.printsNot(a, "reading")
}

func TestStoppedVM(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	b.prints(b.program(0, "ls"), "default", "virtualbox", "poweroff")
	b.prints(b.program(1, "doctor"), "machine.not-running", "VM is poweroff")
	b.prints(b.program(1, "fix", "--dry-run"), "start VM default", "add NAT rule docker-vpn-helper (127.0.0.1:2376 -> VM port 2376)")
	if diff := cmp.Diff([]string{"ssh,tcp,127.0.0.1,50022,,22"}, b.rules("default")); diff != "" {
		t.Error(diff)
	}
}

// VirtualBox ends the start of a VM with words of its own, and all is as before.
func TestStartFails(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	a := b.program(1, "fix", "-y")
	b.prints(a, "terminated unexpectedly during startup")
	if diff := cmp.Diff([]string{"ssh,tcp,127.0.0.1,50022,,22"}, b.rules("default")); diff != "" {
		t.Error(diff)
	}
}

func TestRuleOfOurs(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	b.manage("modifyvm", "default", "--natpf1", "mine,tcp,,4000,,2376")
	a := b.program(1, "fix", "--dry-run")
	b.prints(a, "start VM default")
	b.printsNot(a, "NAT rule")
}

func TestPortOfAnotherVM(t *testing.T) {
	b := newBox(t, "default", "dev")
	b.device()
	b.manage("modifyvm", "dev", "--natpf1", "web,tcp,,2376,,80")
	b.prints(b.program(1, "fix", "--dry-run", "default"), "127.0.0.1:2377 -> VM port 2376")
	b.prints(b.program(1, "fix", "--dry-run", "--port", "2376", "default"), `NAT rule "web" of VM "dev" uses it`)
}

// A rule is added to, replaced in and removed from the settings of a VM that is off; a
// journal that lists it is undone by the program.
func TestRuleOnAStoppedVM(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	ssh := "ssh,tcp,127.0.0.1,50022,,22"
	c := b.target()
	rule := c.addRule()
	check := func(what string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, b.rules("default")); diff != "" {
			t.Error(what, diff)
		}
	}
	b.must(rule.Apply(t.Context(), c.Target))
	check("applied", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376", ssh)
	for _, again := range []string{"reverted", "reverted again"} {
		left, err := rule.Revert(t.Context(), c.Target)
		if err != nil || len(left) > 0 {
			t.Error(again, left, err)
		}
		check(again, ssh)
	}
	c.fixed()
	check("done", "docker-vpn-helper,tcp,127.0.0.1,2376,,2376", ssh)
	b.prints(b.program(0, "undo"), "docker-vpn-helper")
	check("undone", ssh)
}

// What VirtualBox takes for a name that docker-machine would not, in other VMs and in ours.
func TestOddNames(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	odd := []string{`my "quoted" \ vm`, "-dash", "{braces}", "two  blanks", "ünïcode"}
	for i, name := range odd {
		b.manage("createvm", "--name", name, "--register")
		uuid := ""
		for _, ref := range b.list() {
			if ref.Name == name {
				uuid = ref.UUID
			}
		}
		if uuid == "" {
			t.Fatalf("no %q in %q", name, b.list())
		}
		b.manage("modifyvm", uuid, "--nic1", "nat", "--natpf1", fmt.Sprintf("r,tcp,,%d,,80", 2376+i))
	}
	b.prints(b.program(1, "fix", "--dry-run"), fmt.Sprintf("127.0.0.1:%d -> VM port 2376", 2376+len(odd)))
	b.rename("my vm")
	b.prints(b.program(1, "doctor"), "machine.not-running")
	c := b.target()
	rule := c.addRule()
	b.must(rule.Apply(t.Context(), c.Target))
	if want := fmt.Sprintf("docker-vpn-helper,tcp,127.0.0.1,%d,,2376", 2376+len(odd)); !slices.Contains(b.rules("my vm"), want) {
		t.Errorf("no %s in %q", want, b.rules("my vm"))
	}
}

func TestUnregisteredVM(t *testing.T) {
	b := newBox(t, "default", "dev")
	b.device()
	b.manage("unregistervm", "default")
	a := b.program(1, "doctor", "default")
	b.prints(a, "machine.missing", "although its files are there", "VBoxManage registervm "+settings("default"))
	b.manage("registervm", settings("default"))
	b.prints(b.program(1, "doctor", "default"), "machine.not-running")
	b.manage("unregistervm", "dev", "--delete")
	a = b.program(1, "doctor", "dev")
	b.prints(a, "machine.missing")
	b.printsNot(a, "registervm")
}

// A VM whose settings cannot be read has no name any more, and answers no question. What
// it had claimed does not matter then.
func TestInaccessibleVM(t *testing.T) {
	b := newBox(t, "default", "dev")
	b.device()
	uuid := b.uuid("default")
	b.stopService()
	b.must(os.WriteFile(settings("default"), []byte("<?xml"), 0o600))
	a := b.program(1, "doctor", "default")
	b.prints(a, "machine.inaccessible", uuid, "VBoxManage list -l vms")
	long := run(t, launcher, "list", "-l", "vms")
	b.prints(long, settings("default"), uuid) // what the hint leads to names the file
	b.prints(b.program(1, "fix", "--dry-run", "dev"), "127.0.0.1:2376 -> VM port 2376")
	b.prints(b.program(0, "ls"), "default", "dev")
}

func TestSnapshot(t *testing.T) {
	b := newBox(t, "default")
	b.device()
	b.manage("snapshot", "default", "take", "before", "--description", `VMState="running"`)
	b.manage("modifyvm", "default", "--description", "UUID=\"x\"\nVMState=\"running\"")
	b.prints(b.program(1, "doctor"), "machine.not-running", "VM is poweroff")
}

// Fifty VMs, two of them machines: the program waits for VirtualBox, not for itself.
func TestFiftyVMs(t *testing.T) {
	b := newBox(t, "default", "dev")
	b.device()
	for i := range 48 {
		name := fmt.Sprintf("vm-%d", i)
		b.manage("createvm", "--name", name, "--register")
		b.manage("modifyvm", name, "--nic1", "nat", "--natpf1", fmt.Sprintf("r,tcp,,%d,,80", 2376+i))
	}
	for _, args := range [][]string{{"ls"}, {"doctor", "--all"}} {
		start := time.Now()
		exit := 1
		if args[0] == "ls" {
			exit = 0
		}
		a := b.program(exit, args...)
		b.prints(a, "default", "dev", "poweroff")
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s took %s", args[0], took)
		} else {
			t.Logf("%s: %s", args[0], took.Round(time.Millisecond))
		}
	}
	b.prints(b.program(1, "fix", "--dry-run", "default"), fmt.Sprintf("127.0.0.1:%d -> VM port 2376", 2376+48))
}

// list is `list vms`, read by the program's parser.
func (b *box) list() []vbox.VMRef {
	b.Helper()
	refs, err := vbox.ParseVMs([]byte(b.manage("list", "vms")))
	b.must(err)
	return refs
}

// rename gives the VM of the machine default another name, and tells docker-machine's store.
func (b *box) rename(name string) {
	b.Helper()
	b.manage("modifyvm", "default", "--name", name)
	config := filepath.Join(machines, "default", "config.json")
	data, err := os.ReadFile(config)
	b.must(err)
	edited := strings.Replace(string(data), `"MachineName": "default"`, `"MachineName": "`+name+`"`, 1)
	if edited == string(data) {
		b.Fatalf("no MachineName in %s", data)
	}
	b.must(os.WriteFile(config, []byte(edited), 0o600))
}
