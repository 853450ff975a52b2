//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 3, line 4: a laptop that cannot be written to. Permissions would not stop
// root, whom the lab runs as: hence mounts, which only the program sees.

func TestStoreReadOnly(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	pid, files, store, rules := s.vm.DockerdPID(), s.hostFiles(), s.tree(s.lab.StoreDir()), s.rules("default")
	r, err := s.lab.Run(s.ctx(), nil, "unshare", "-m", "sh", "-euc", `d=$HOME/.docker
mount --bind $d $d; mount -o remount,ro,bind $d; exec docker-vpn-helper fix --yes default`)
	s.must(err)
	s.same("exit", 1, r.Exit)
	if !strings.Contains(r.Stderr, "read-only file system") || !strings.Contains(r.Stderr, "rolled back") {
		t.Errorf("fix says:\n%s", r.Stderr)
	}
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
	s.same("files on the docker host", files, s.hostFiles())
	s.same("store", store, s.tree(s.lab.StoreDir()))
	s.same("NAT rules", rules, s.rules("default"))
	s.fix("default")
}

// The home directory, with the store and the journals in it, has less and less
// room left. Whatever fails, all is as before, and the next fix with room works.
func TestHomeFull(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	files, served := s.hostFiles(), s.served()
	step := 4
	if !soaking() {
		step = 31
	}
	ends := map[int]int{}
	for room := 0; room <= 124; room += step {
		r, err := s.lab.Run(s.ctx(), nil, "unshare", "-m", "bash", "-uc", fmt.Sprintf(`set -e
mount -t tmpfs -o size=2m none /mnt; cp -a "$HOME/." /mnt; mount --bind /mnt "$HOME"; cd "$HOME"
state() { find . -type f -not -path './.local/*' -not -name fill | sort | xargs sha256sum; }
before=$(state)
dd if=/dev/zero of=fill bs=1k 2>/dev/null || :
truncate -s $(( $(stat -c %%s fill) / 4096 * 4096 - %d * 1024 )) fill
set +e
docker-vpn-helper fix --yes default >said 2>&1
code=$?
rm -f fill said.full
if [ $code != 0 ] && [ "$before" != "$(state | grep -v ' ./said$')" ]; then echo "not as before:"; diff <(echo "$before") <(state); fi
docker-vpn-helper undo default >&2 || { echo "undo: $?"; }
[ "$before" = "$(state | grep -v ' ./said$')" ] || echo "not as before after undo"
cat said >&2
exit $code`, room))
		s.must(err)
		ends[r.Exit]++
		if r.Stdout != "" || r.Exit != 0 && r.Exit != 1 {
			t.Errorf("%d KiB left: exit %d: %s\n%s", room, r.Exit, r.Stdout, r.Stderr)
		}
		s.same(fmt.Sprintf("%d KiB left: files on the docker host", room), files, s.hostFiles())
		if s.served() != served {
			t.Errorf("%d KiB left: another certificate is served", room)
		}
		s.same(fmt.Sprintf("%d KiB left: NAT rules", room), []string(nil), s.rules("default"))
	}
	t.Logf("exit codes: %v", ends)
}
