//go:build e2e && linux

package allowance

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/posix"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
)

// The script on real iptables and ebtables, in namespaces of its own; only docker is written
// down.

type dockerHost struct {
	*testing.T
	pid     int
	dir     string
	shell   []string
	backend netfilter.Backend
}

// newDockerHost makes namespaces for network and mounts, with a /run of their own.
func newDockerHost(t *testing.T, shell []string, backend netfilter.Backend) *dockerHost {
	h := &dockerHost{T: t, dir: t.TempDir(), shell: shell, backend: backend}
	cmd := exec.Command("unshare", "--net", "--mount", "sh", "-c", "mount -t tmpfs none /run && echo ready && exec sleep 600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	h.must(err)
	if line != "ready\n" {
		t.Fatal(line)
	}
	h.pid = cmd.Process.Pid
	h.must(os.MkdirAll(filepath.Join(h.dir, "bin"), 0o755))
	h.write("bin/docker", `#!/bin/sh
case "$*" in
*"network inspect"*) echo "10.213.213.0/24 fd00:213::/64 " ;;
*inspect*) cat `+h.dir+`/containers ;;
esac
`)
	h.containers("/web2 my-net 10.213.213.2", "/web2 my-net  ", "/web2 port: 8080 80/tcp", "/web2 port: 9090 90/udp")
	return h
}

func (h *dockerHost) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *dockerHost) write(name, text string) {
	h.Helper()
	h.must(os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o755))
}

// containers is what docker prints of them.
func (h *dockerHost) containers(lines ...string) {
	h.write("containers", strings.Join(lines, "\n")+"\n")
}

func (h *dockerHost) command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", strconv.Itoa(h.pid), "--net", "--mount", "--"}, argv...)...)
	cmd.Env = append(os.Environ(), "PATH="+h.dir+"/bin:"+os.Getenv("PATH"))
	return cmd
}

// root runs a line of shell. iptables in it is that of the backend; ebtables is that of nft,
// since kernels of today have no other.
func (h *dockerHost) root(line string) string {
	h.Helper()
	for tool, backend := range map[string]netfilter.Backend{"iptables": h.backend, "ebtables": netfilter.NFTables} {
		line = strings.ReplaceAll(line, tool+" ", tool+"-"+string(backend)+" ")
		line = strings.ReplaceAll(line, tool+"-save", tool+"-"+string(backend)+"-save")
	}
	out, err := h.command(h.Context(), "sh", "-ec", line).CombinedOutput()
	if err != nil {
		h.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// install writes the files of a list.
func (h *dockerHost) install(l *List) {
	h.Helper()
	for name, text := range l.Set().Files {
		h.write(name, text)
	}
}

// run runs a script of the set.
func (h *dockerHost) run(name string, args ...string) string {
	h.Helper()
	out, err := h.command(h.Context(), append(append(slices.Clone(h.shell), filepath.Join(h.dir, name)), args...)...).CombinedOutput()
	if err != nil {
		h.Errorf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

const saveAll = "{ iptables-save; ebtables-save; } | grep -v '^#' | sed 's/ \\[[0-9:]*\\]$//'"

func (h *dockerHost) rules() string { h.Helper(); return h.root(saveAll) }

// script is what the contest's docker host runs.
const script = `iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -j RETURN
iptables -I DOCKER-USER 1 -j DROP
iptables -I DOCKER-USER 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -I DOCKER-USER 1 -d 10.213.213.1 -j ACCEPT
ebtables -A INPUT -i eth0 -j ACCEPT
ebtables -A INPUT -p ARP -j DROP
ebtables -A OUTPUT -o eth0 -j ACCEPT
ebtables -A OUTPUT -p ARP -j DROP
`

// web2 is what the plan is there.
func web2(backend netfilter.Backend) Allowance {
	return Allowance{Container: "web2", Port: 8080, Rules: []Rule{
		{Tool: netfilter.IPTables, Backend: backend, Table: "filter", Chain: "DOCKER-USER", Match: "-p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080", Target: "RETURN"},
		{Tool: netfilter.EBTables, Backend: netfilter.NFTables, Table: "filter", Chain: "OUTPUT", Match: "-p ARP --arp-ip-dst @CONTAINER@", Target: "ACCEPT"},
		{Tool: netfilter.EBTables, Backend: netfilter.NFTables, Table: "filter", Chain: "INPUT", Match: "-p ARP --arp-ip-src @CONTAINER@", Target: "ACCEPT"},
	}}
}

const (
	ours    = `-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m comment --comment "dvh-allow:web2" -j RETURN`
	oursOut = "-A OUTPUT -p ARP --arp-ip-dst 10.213.213.2 -j ACCEPT"
	oursIn  = "-A INPUT -p ARP --arp-ip-src 10.213.213.2 -j ACCEPT"
)

// inserted is a ruleset with lines in front of others.
func inserted(rules string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		rules = strings.Replace(rules, pairs[i]+"\n", pairs[i+1]+"\n"+pairs[i]+"\n", 1)
	}
	return rules
}

func each(t *testing.T, do func(*dockerHost)) {
	for _, shell := range posix.Shells(t) {
		for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
			t.Run(shell[0]+" "+string(backend), func(t *testing.T) { do(newDockerHost(t, shell, backend)) })
		}
	}
}

func same(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestKernelApply(t *testing.T) {
	each(t, func(h *dockerHost) {
		h.root(script)
		before := h.rules()
		want := inserted(before, "-A DOCKER-USER -j DROP", ours, "-A OUTPUT -o eth0 -j ACCEPT", oursOut, "-A INPUT -i eth0 -j ACCEPT", oursIn)
		h.install(&List{Socket: "/docker.sock", All: []Allowance{web2(h.backend)}})
		h.run("remove")
		same(h.T, "removed before it was there", before, h.rules())
		began := time.Now()
		h.run("apply")
		h.Log("apply:", time.Since(began))
		same(h.T, "applied", want, h.rules())
		handles := h.root("nft -a list ruleset; iptables-save -c | grep -v '^#'")
		h.run("apply")
		same(h.T, "nothing is made anew", handles, h.root("nft -a list ruleset; iptables-save -c | grep -v '^#'"))

		// Rules of others go in front of ours, and between them.
		h.root("iptables -I DOCKER-USER 1 -j DROP; ebtables -I OUTPUT 1 -p ARP -j DROP; iptables -I DOCKER-USER 5 -s 192.0.2.1 -j LOG")
		h.run("apply")
		h.root("iptables -D DOCKER-USER -j DROP; ebtables -D OUTPUT -p ARP -j DROP")
		h.run("apply")
		h.run("apply")
		h.root("ebtables -I INPUT 2 -p ARP --arp-ip-src 192.0.2.7 -j ACCEPT; ebtables -I INPUT 1 -p ARP --arp-ip-src 192.0.2.8 -j ACCEPT")
		h.run("apply")
		if got := h.rules(); strings.Count(got, ours) != 1 || strings.Count(got, oursOut) != 1 || strings.Count(got, "192.0.2") != 3 {
			h.Errorf("with rules of others:\n%s", got)
		}
		h.root("ebtables -D INPUT -p ARP --arp-ip-src 192.0.2.7 -j ACCEPT; ebtables -D INPUT -p ARP --arp-ip-src 192.0.2.8 -j ACCEPT; iptables -D DOCKER-USER -s 192.0.2.1 -j LOG")

		// The container gets another address, stops, and docker does not answer.
		h.containers("/web2 my-net 10.213.213.9")
		h.run("apply")
		moved := strings.NewReplacer("10.213.213.2 ", "10.213.213.9 ")
		same(h.T, "another address", moved.Replace(want), h.rules())
		h.containers("Cannot connect to the Docker daemon at unix:///docker.sock. Is the docker daemon running?")
		h.run("apply")
		same(h.T, "docker does not answer", moved.Replace(want), h.rules())
		h.containers("/web2 my-net  ")
		h.run("apply")
		same(h.T, "it does not run", inserted(before, "-A DOCKER-USER -j DROP", ours), h.rules())
		h.containers("/web2 my-net 10.213.213.2", "/web2 port: 8081 80/tcp")
		h.run("apply")
		same(h.T, "it publishes another port", before, h.rules())
		h.containers("/web2 my-net  ", "/web2 port: 8080 80/tcp")
		h.run("apply")
		same(h.T, "it is back", inserted(before, "-A DOCKER-USER -j DROP", ours), h.rules())
		for _, gone := range []string{"Error response from daemon: No such container: web2", "Error: No such container: web2", "[]\nError: No such container: web2"} {
			h.run("apply")
			h.containers(gone)
			h.run("apply")
			same(h.T, "it is gone: "+gone, before, h.rules())
			h.containers("/web2 my-net  ", "/web2 port: 8080 80/tcp")
		}

		// A rule of another program that is equal to ours stays.
		h.root("ebtables -I OUTPUT 1 " + strings.TrimPrefix(oursOut, "-A OUTPUT "))
		h.containers("/web2 my-net 10.213.213.2")
		h.run("apply")
		h.run("remove")
		same(h.T, "removed", inserted(before, "-A OUTPUT -o eth0 -j ACCEPT", oursOut), h.rules())
		if left := h.root("ls -A /run/docker-vpn-helper"); strings.TrimSpace(left) != "rules" {
			h.Errorf("left in /run: %q", left)
		}
	})
}

func TestKernelApplyOnce(t *testing.T) {
	h := newDockerHost(t, []string{"dash"}, netfilter.NFTables)
	h.root(script)
	before := h.rules()
	boot := strings.TrimSpace(h.root(bootCommand))
	for _, now := range []bool{true, false} {
		a := web2(h.backend)
		if a.Once = boot; !now {
			a.Once = "another-boot"
		}
		h.install(&List{Socket: "/docker.sock", All: []Allowance{a}})
		h.run("apply")
		if is := strings.Contains(h.rules(), "dvh-allow"); is != now {
			h.Errorf("in this boot: %v, there: %v", now, is)
		}
	}
	same(t, "it has ended", before, h.rules())
}

// A rule that must come before a conditional one, in each family, and one for a network.
func TestKernelApplyPlaces(t *testing.T) {
	each(t, func(h *dockerHost) {
		h.root(script + "iptables -I DOCKER-USER 1 -s 192.0.2.0/24 -j DROP; iptables -I DOCKER-USER 2 -i eth9 -j DROP; iptables -t raw -A PREROUTING -d 10.213.213.2 ! -i br-x -j DROP; iptables -t raw -A PREROUTING -j CT --notrack -s 192.0.2.3")
		a := web2(h.backend)
		a.Rules[0].Before = []string{"-i eth9 -j DROP"}
		b := Allowance{Container: "web2", Rules: []Rule{
			{Tool: netfilter.IPTables, Backend: h.backend, Table: "raw", Chain: "PREROUTING", First: true, Match: "-s 10.8.0.0/24 -d @SUBNET@ -i tun0", Target: "ACCEPT"},
			{Tool: netfilter.IPTables, Backend: h.backend, Table: "filter", Chain: "DOCKER-USER", Match: "-s 10.8.0.0/24 -d @SUBNET@ -i tun0", Target: "ACCEPT"},
			{Tool: netfilter.IPTables, Backend: h.backend, Table: "filter", Chain: "NOT-THERE", Match: "-p tcp", Target: "ACCEPT"},
		}}
		before := h.rules()
		h.install(&List{Socket: "/docker.sock", All: []Allowance{a, b}})
		said := h.run("apply")
		if !strings.Contains(said, "there is no chain NOT-THERE in table filter") {
			h.Error(said)
		}
		const tun = `-s 10.8.0.0/24 -d 10.213.213.0/24 -i tun0 -m comment --comment "dvh-allow:web2" -j ACCEPT`
		same(h.T, "places", inserted(before, "-A DOCKER-USER -i eth9 -j DROP", ours, "-A DOCKER-USER -j DROP", "-A DOCKER-USER "+tun,
			"-A PREROUTING -d 10.213.213.2/32 ! -i br-x -j DROP", "-A PREROUTING "+tun, "-A OUTPUT -o eth0 -j ACCEPT", oursOut, "-A INPUT -i eth0 -j ACCEPT", oursIn), h.rules())
		// Something else is listed now: what is not any more goes, in tables of its own too.
		h.install(&List{Socket: "/docker.sock", All: []Allowance{a}})
		h.run("apply")
		same(h.T, "less", inserted(before, "-A DOCKER-USER -i eth9 -j DROP", ours, "-A OUTPUT -o eth0 -j ACCEPT", oursOut, "-A INPUT -i eth0 -j ACCEPT", oursIn), h.rules())
		h.run("remove")
		same(h.T, "removed", before, h.rules())
	})
}

// Killed at random instants, nothing is there that neither the old nor the new list has, and
// the next run finishes.
func TestKernelApplyKilled(t *testing.T) {
	tries := 10
	if os.Getenv("DVH_SOAK") != "" {
		tries = 50
	}
	for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
		h := newDockerHost(t, []string{"dash"}, backend)
		h.root(script)
		before := h.rules()
		all := &List{Socket: "/docker.sock", All: []Allowance{web2(backend)}}
		want := inserted(before, "-A DOCKER-USER -j DROP", ours, "-A OUTPUT -o eth0 -j ACCEPT", oursOut, "-A INPUT -i eth0 -j ACCEPT", oursIn)
		known := strings.Split(want, "\n")
		for n := range tries {
			h.install(all)
			ctx, cancel := context.WithCancel(t.Context())
			cmd := h.command(ctx, "setsid", "dash", filepath.Join(h.dir, []string{"apply", "remove"}[n%2]))
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			h.must(cmd.Start())
			time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			cancel()
			time.Sleep(50 * time.Millisecond) // a program that it had started ends
			lines := strings.Split(h.rules(), "\n")
			for _, line := range lines {
				if !slices.Contains(known, line) {
					t.Errorf("killed: %s", line)
				}
			}
			for _, line := range strings.Split(before, "\n") {
				if !slices.Contains(lines, line) {
					t.Errorf("killed, and gone: %s", line)
				}
			}
			h.run("apply")
			same(t, fmt.Sprintf("finished after try %d", n), want, h.rules())
			if n%3 == 0 {
				h.run("remove")
				same(t, "removed", before, h.rules())
			}
		}
	}
}
