//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// However close changes of a file are to each other, and to the work that they cause, the work
// sees the last one. First 1,000 changes in a row, then 1 to 4 changes, 0 to 90 ms apart, 60 times over.
func TestFollowerMissesNoChange(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	f := hostrules.Follower{Name: "follower", Description: "a test", File: "/run/followed", Command: "/bin/sh /opt/follow"}
	s.must(s.vm.WriteFile("/opt/follow", []byte("echo >>/run/begun; cat /run/followed >/run/seen; sleep 0.05; echo >>/run/ended\n"), 0o755))
	for name, text := range f.Units() {
		s.must(s.vm.WriteFile("/etc/systemd/system/"+name, []byte(text), 0o644))
	}
	s.root("echo 0 >/run/followed; systemctl daemon-reload; systemctl start " + f.PathUnit())
	missed := s.root(`bash -c '
		for round in {0..60}; do
			if [ $round = 0 ]; then
				for i in {1..1000}; do echo $i >/run/followed; sleep 0.001; done
			else
				for i in $(seq $((1 + RANDOM % 4))); do
					echo $round.$i >/run/followed
					sleep 0.0$((RANDOM % 10))
				done
			fi
			until cmp -s /run/followed /run/seen; do
				[ $((tries++)) -lt 200 ] || { echo "$(cat /run/followed), seen $(cat /run/seen)"; exit; }
				sleep 0.05
			done
			tries=0
		done'`)
	s.same("changes that were missed", "", missed)
	s.must(await.Until(s.ctx(), "all work that has begun to end, so that none was cut short", func() (bool, error) { return s.root("cmp -s /run/begun /run/ended && echo yes || true") != "", nil }))
	t.Logf("runs of the work: %s", strings.TrimSpace(s.root("wc -l </run/ended")))
}
