//go:build e2e && linux

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

func reissue() []string { return []string{"fix", "--reissue", "--yes", "default"} }

// Issue 3, line 2.
func TestSoakKilled(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.disturbed(runs(200), reissue(), func(cmd *exec.Cmd) { k.must(cmd.Process.Kill()) }, nil)
}

// Issue 3, line 2, where systemd restarts dockerd.
func TestSoakKilledSystemd(t *testing.T) {
	k := tortured(t, nsguest.Systemd)
	k.disturbed(runs(20), reissue(), func(cmd *exec.Cmd) { k.must(cmd.Process.Kill()) }, nil)
}

// The transaction itself is killed, on the docker host: whoever waits for it starts
// it again. What it was running goes on, and must do no harm.
func TestSoakWorkerKilled(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.disturbed(runs(20), reissue(), func(*exec.Cmd) {
		_, err := k.vm.Output(k.ctx(), "sh", "-c", `for f in /var/run/docker-vpn-helper/lock.*; do
	read -r worker _ <"$f" && kill -KILL "$worker"
done 2>/dev/null; true`)
		k.must(err)
	}, nil)
}

// The VM is saved underneath, and resumed where fix has not done so.
func TestSoakSaved(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.disturbed(runs(10), reissue(), func(*exec.Cmd) { k.vbox("controlvm", "default", "savestate") },
		func() {
			if strings.Contains(k.vbox("showvminfo", "default", "--machinereadable"), `VMState="saved"`) {
				k.vbox("startvm", "default", "--type", "headless")
			}
		})
}

// Issue 3: undo is all or nothing too.
func TestSoakUndoKilled(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.back = true
	k.disturbed(runs(20), []string{"undo", "default"}, func(cmd *exec.Cmd) { k.must(cmd.Process.Kill()) }, nil)
}

// Issue 3, line 2: the session's sshd dies, the connection is reset, or it goes
// silent, in turn.
func TestSoakConnectionCut(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	ways := []func(context.Context) error{
		k.vm.EndSSHSessions,
		func(ctx context.Context) error { return k.vm.CutSSH(ctx, nsguest.Reset) },
		func(ctx context.Context) error { return k.vm.CutSSH(ctx, nsguest.Drop) },
	}
	n := 0
	k.disturbed(runs(50), reissue(), func(*exec.Cmd) {
		k.must(ways[n%len(ways)](k.ctx()))
		n++
	}, func() { k.must(k.vm.MendSSH(k.ctx())) })
}

// Issue 3, line 2.
func TestSoakSSHDKilled(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.disturbed(runs(20), reissue(), func(*exec.Cmd) {
		k.must(k.vm.KillSSHD(k.ctx()))
		k.must(k.vm.EndSSHSessions(k.ctx()))
	}, func() { k.must(k.vm.StartSSHD(k.ctx())) })
}

// Issue 3, line 2.
func TestSoakPoweredOff(t *testing.T) {
	k := tortured(t, nsguest.Boot2docker)
	k.disturbed(runs(20), reissue(), func(*exec.Cmd) { k.vbox("controlvm", "default", "poweroff") }, nil)
}
