//go:build e2e && linux

package guard

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The scripts in the shells that docker hosts have, on both backends: what they load, what
// they leave alone, that a second run changes nothing, and that remove removes all.
func TestScriptsInShells(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root")
	}
	const run = `say() { echo "== $1"; for f in iptables ip6tables; do $f -t mangle -S; done; nft list tables | grep dvh || true; }
iptables -t mangle -A FORWARD -p icmp -j ACCEPT
iptables -t mangle -A FORWARD -i old0 -j ACCEPT
$SH ./apply || echo "apply: $?"
say loaded
$SH ./apply || echo "apply again: $?"
say again
iptables -t mangle -I FORWARD -p udp -j ACCEPT
iptables -t mangle -A INPUT -p udp -j ACCEPT
iptables -t mangle -A FORWARD -i old0 -j DOCKER-PUB
echo eth5 >ifaces
$SH ./apply || echo "apply with another interface: $?"
say another
rm v4.in v6.in
$SH ./apply || echo "apply without a list: $?"
say unlisted
$SH ./remove || echo "remove: $?"
$SH ./remove || echo "remove again: $?"
say removed
`
	f := onHost()
	f.CgroupMatch = "no"
	set := f.Set(settings(t))
	delete(set.Files, "watch")
	want := ""
	for _, backend := range []string{"nft", "legacy"} {
		for _, shell := range []string{"dash", "bash --posix", "busybox ash"} {
			dir := t.TempDir()
			for name, text := range set.Files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, ".published"), []byte("tcp 8081\nudp 5353\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			bin := filepath.Join(dir, "bin")
			if err := os.Mkdir(bin, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"iptables", "iptables-restore", "iptables-save", "ip6tables", "ip6tables-restore", "ip6tables-save"} {
				if err := os.Symlink("/usr/sbin/xtables-"+backend+"-multi", filepath.Join(bin, name)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			cmd := exec.CommandContext(ctx, "unshare", "-n", "sh", "-c", run)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "SH="+shell, "DVH_LOCKED=1", "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			cancel()
			if err != nil {
				t.Fatalf("%s: %v\n%s", shell, err, out)
			}
			got := string(out)
			if want == "" {
				want = got
				t.Log(got)
				checkLoaded(t, got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: %s", backend, shell, diff)
			}
		}
	}
}

// checkLoaded looks at what the scripts have printed in one shell.
func checkLoaded(t *testing.T, out string) {
	t.Helper()
	parts := map[string]string{}
	for _, part := range strings.Split(out, "== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		parts[name] = text
	}
	if strings.Contains(out, "apply") || strings.Contains(out, "remove:") {
		t.Error("a script failed")
	}
	if diff := cmp.Diff(parts["loaded"], parts["again"]); diff != "" {
		t.Errorf("a second run changes rules: %s", diff)
	}
	for name, first := range map[string]string{
		"loaded":  "-A FORWARD -i eth0 -j DOCKER-PUB\n-A FORWARD -i ppp0 -j DOCKER-PUB\n-A FORWARD -p icmp -j ACCEPT\n-A FORWARD -i old0 -j ACCEPT\n",
		"another": "-A INPUT -i eth5 -j DOCKER-PUB-IN\n-A INPUT -p udp -j ACCEPT\n-A FORWARD -i eth5 -j DOCKER-PUB\n-A FORWARD -p udp -j ACCEPT\n-A FORWARD -p icmp -j ACCEPT\n-A FORWARD -i old0 -j ACCEPT\n",
	} {
		if !strings.Contains(parts[name], first) {
			t.Errorf("%s: %s", name, parts[name])
		}
	}
	for _, chain := range []string{"DOCKER-PUB-IN -p tcp -m tcp --dport 8081 -j DROP", "DOCKER-PUB-IN -p udp -m udp --dport 5353 -j DROP", "DOCKER-PUB -m conntrack --ctstate DNAT -j DROP"} {
		if strings.Count(parts["loaded"], chain) != 2 {
			t.Errorf("%s is not there for both families", chain)
		}
	}
	if strings.Contains(parts["unlisted"], "DOCKER-PUB-IN") {
		t.Error("the list stays")
	}
	if strings.Contains(parts["removed"], "DOCKER-PUB") || !strings.Contains(parts["removed"], "-i old0 -j ACCEPT") {
		t.Errorf("removed: %s", parts["removed"])
	}
}
