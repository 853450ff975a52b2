//go:build realvbox

package realvbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// installed is a file that only the chroot of scripts/realvbox has. The tests remove what
// VirtualBox keeps in root's home directory. Elsewhere that would be a user's own.
const installed = "/installed"

func TestMain(m *testing.M) {
	if _, err := os.Stat(installed); err != nil {
		fmt.Fprintln(os.Stderr, "realvbox: these tests run in a chroot of their own: make realvbox")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	home = "/root"
	// machines is the store's directory of machines.
	machines = home + "/.docker/machine/machines"
	program  = "/opt/docker-vpn-helper"
	// launcher is the shell script in PATH, which warns about the kernel module; behind it
	// is VBoxManage itself.
	launcher = "/usr/bin/VBoxManage"
	manage   = "/usr/lib/virtualbox/VBoxManage"
)

// answer is what a program printed, and its exit status.
type answer struct {
	stdout, stderr string
	exit           int
}

func run(t *testing.T, argv ...string) answer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), vbox.Env()...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// VBoxSVC inherits the output of the VBoxManage that starts it.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s: %v", strings.Join(argv, " "), err)
	}
	return answer{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// box is VirtualBox as a new user has it.
type box struct{ *testing.T }

// newBox is one with a VM and a docker-machine store for each name.
func newBox(t *testing.T, names ...string) *box {
	t.Helper()
	b := &box{t}
	b.stopService()
	for _, dir := range []string{".config", "VirtualBox VMs", ".docker", ".local"} {
		b.must(os.RemoveAll(filepath.Join(home, dir)))
	}
	store, err := fakestore.NewStore(filepath.Dir(machines), fakestore.StoreOptions{})
	b.must(err)
	for i, name := range names {
		_, err := store.Add(fakestore.Options{Name: name, IP: fmt.Sprintf("192.168.99.%d", 100+i), SSHPort: 50022 + i})
		b.must(err)
		b.manage("createvm", "--name", name, "--basefolder", filepath.Join(machines, name), "--register")
		b.manage("modifyvm", name, "--nic1", "nat", "--nic2", "hostonly", "--hostonlyadapter2", "vboxnet0",
			"--natpf1", fmt.Sprintf("ssh,tcp,127.0.0.1,%d,,22", 50022+i))
	}
	return b
}

func (b *box) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// manage runs VBoxManage, which must succeed.
func (b *box) manage(args ...string) string {
	b.Helper()
	a := run(b.T, append([]string{manage}, args...)...)
	if a.exit != 0 {
		b.Fatalf("VBoxManage %s: exit status %d\n%s", strings.Join(args, " "), a.exit, a.stderr)
	}
	return a.stdout
}

// program runs docker-vpn-helper, and checks its exit status.
func (b *box) program(exit int, args ...string) answer {
	b.Helper()
	a := run(b.T, append([]string{program}, args...)...)
	if a.exit != exit {
		b.Errorf("docker-vpn-helper %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), a.exit, exit, a.stdout, a.stderr)
	}
	return a
}

// prints checks that an answer has all texts.
func (b *box) prints(a answer, texts ...string) {
	b.Helper()
	for _, text := range texts {
		if !strings.Contains(a.stdout+a.stderr, text) {
			b.Errorf("no %q in:\n%s%s", text, a.stdout, a.stderr)
		}
	}
}

// printsNot checks that an answer has none of the texts.
func (b *box) printsNot(a answer, texts ...string) {
	b.Helper()
	for _, text := range texts {
		if strings.Contains(a.stdout+a.stderr, text) {
			b.Errorf("%q in:\n%s%s", text, a.stdout, a.stderr)
		}
	}
}

// rules are the NAT rules of a VM, as VirtualBox prints them.
func (b *box) rules(name string) []string {
	b.Helper()
	var rules []string
	for _, m := range regexp.MustCompile(`(?m)^Forwarding\(\d+\)="(.*)"$`).FindAllStringSubmatch(b.manage("showvminfo", name, "--machinereadable"), -1) {
		rules = append(rules, m[1])
	}
	return rules
}

// uuid is a VM's.
func (b *box) uuid(name string) string {
	b.Helper()
	return regexp.MustCompile(`(?m)^UUID="(.*)"$`).FindStringSubmatch(b.manage("showvminfo", name, "--machinereadable"))[1]
}

// settings is the file of a machine's VM.
func settings(name string) string { return filepath.Join(machines, name, name, name+".vbox") }

// stopService ends VBoxSVC, so that the next VBoxManage reads all settings anew. Every
// process here is one that the tests have started.
func (b *box) stopService() {
	b.Helper()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, pid := range b.services() {
			_ = syscall.Kill(pid, signal) // it may be gone by now
		}
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if len(b.services()) == 0 {
				return
			}
		}
	}
	b.Fatalf("VBoxSVC does not end: %v", b.services())
}

func (b *box) services() (pids []int) {
	b.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	b.must(err)
	for _, file := range found {
		stat, _ := os.ReadFile(file) // it may be gone by now
		if _, rest, ok := strings.Cut(string(stat), " (VBoxSVC) "); ok && !strings.HasPrefix(rest, "Z") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			b.must(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// device makes the kernel module's device appear to be there, for the launcher, which
// else warns on standard output.
func (b *box) device() {
	b.Helper()
	const path = "/dev/vboxdrv"
	b.must(syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|3))
	b.Cleanup(func() { os.Remove(path) })
}
