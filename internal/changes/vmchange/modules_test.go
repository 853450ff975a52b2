package vmchange

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// resumed is what becomes of "a", once it is saved.
const resumed = `-- $ VBoxManage startvm 1111 --type headless => scene resumed --
-- scene resumed --
-- $ VBoxManage showvminfo 1111 --machinereadable --
name="a"
UUID="1111"
VMState="running"
`

const savedVMs = `Debian 12, VirtualBox 6.1.26; "a" is saved, "b" runs.

-- computer --
os linux
-- $ VBoxManage showvminfo 1111 --machinereadable --
name="a"
UUID="1111"
VMState="saved"
-- $ VBoxManage showvminfo 2222 --machinereadable --
name="b"
UUID="2222"
VMState="running"
` + resumed

func on(t *testing.T, transcript string) (*target.Target, *hosttest.Computer) {
	c := hosttest.New(t, []byte(transcript))
	tgt := &target.Target{Laptop: c, Now: time.Now, Notify: t.Logf}
	tgt.VirtualBox = virtualbox.New(c, func() bool { return tgt.Mode.IsRepair() })
	tgt.SetMachine(store.Machine{Name: "x", VMName: "x", Driver: "virtualbox"})
	return tgt, c
}

// Killed after the first VM was saved: what is saved is resumed, once. `modules restart`
// does so without a machine.
func TestRevertOfAModuleRestartResumesWhatIsSaved(t *testing.T) {
	for _, machine := range []bool{true, false} {
		tgt, c := on(t, savedVMs)
		if !machine {
			tgt = &target.Target{Laptop: c, VirtualBox: tgt.VirtualBox, Now: time.Now, Notify: t.Logf}
		}
		r := &RestartModules{Saved: []virtualbox.SavedVM{{Name: "a", UUID: "1111"}, {Name: "b", UUID: "2222"}}}
		for range 2 {
			if left, err := r.Revert(t.Context(), tgt); err != nil || len(left) > 0 {
				t.Errorf("%v, %v", left, err)
			}
		}
		started := slices.DeleteFunc(c.Ran(), func(cmd string) bool { return !strings.Contains(cmd, "startvm") })
		if diff := cmp.Diff([]string{"$ VBoxManage startvm 1111 --type headless"}, started); diff != "" {
			t.Error(diff)
		}
	}
}

// Finished long ago: a VM that its user has saved since is none of undo's business.
const savingVM = `Ctrl-C, or a kill, came while VBoxManage savestate was at work; VirtualBox goes on saving.

-- computer --
os linux
-- $ VBoxManage showvminfo 1111 --machinereadable => scene saved --
name="a"
UUID="1111"
VMState="saving"
-- scene saved --
-- $ VBoxManage showvminfo 1111 --machinereadable --
name="a"
UUID="1111"
VMState="saved"
` + resumed

func TestRevertOfAModuleRestartWaitsForAVMThatIsBeingSaved(t *testing.T) {
	tgt, c := on(t, savingVM)
	r := &RestartModules{Saved: []virtualbox.SavedVM{{Name: "a", UUID: "1111"}}}
	left, err := r.Revert(t.Context(), tgt)
	if started := slices.ContainsFunc(c.Ran(), func(cmd string) bool { return strings.Contains(cmd, "startvm") }); err != nil || !started {
		t.Errorf("reverted (%v, %v), and the VM stays saved", left, err)
	}
}

func TestUndoOfAFinishedModuleRestartDoesNothing(t *testing.T) {
	tgt, c := on(t, savedVMs)
	r := &RestartModules{Saved: []virtualbox.SavedVM{{Name: "a", UUID: "1111"}}, Resumed: true}
	if left, err := r.Revert(t.Context(), tgt); err != nil || len(left) > 0 || len(c.Ran()) > 0 {
		t.Errorf("%v, %v, %q", left, err, c.Ran())
	}
}

// VMs run, and one of another VirtualBox: refused before anything is touched.
func TestModuleRestartIsRefused(t *testing.T) {
	const running = `Debian 12, VirtualBox 6.1.26.

-- computer --
os linux
process 41 VBoxHeadless VBoxHeadless --comment a --startvm 1111
PROCESSES
-- $ VBoxManage --version --
6.1.26r145957
UNIT
-- $ VBoxManage list runningvms --
"a" {1111}
-- $ VBoxManage list hostonlyifs --
`
	const unit = "-- $ systemctl cat vboxdrv.service --\n[Unit]"
	for situation, tt := range map[string]struct {
		others  string
		stopVMs bool
		want    *useraction.Required
	}{
		"without_a_way_to_restart_them_known": {"NO UNIT", false, &useraction.Required{Text: "VirtualBox is running: VBoxHeadless (pid 41)", Hint: hint.Shell("again")}},
		"without_the_flag":                    {"", false, &useraction.Required{Text: "VirtualBox is running: VBoxHeadless (pid 41)", Hint: hint.Shell("again")}},
		"another_users":                       {"foreign 77 VBoxHeadless", true, &useraction.Required{Text: "VMs that are not yours to save are running: VBoxHeadless (pid 77, of another user)"}},
		"another_virtualbox_of_this_user": {"process 78 VBoxHeadless VBoxHeadless --comment z --startvm 9999", true,
			&useraction.Required{Text: "VMs that are not yours to save are running: VBoxHeadless (pid 78)"}},
	} {
		t.Run(situation, func(t *testing.T) {
			transcript := strings.Replace(running, "UNIT", unit, 1)
			if tt.others == "NO UNIT" {
				tt.others, transcript = "", strings.Replace(running, "UNIT\n", "", 1)
			}
			tgt, c := on(t, strings.Replace(transcript, "PROCESSES", tt.others, 1))
			tgt.StopVMs = tt.stopVMs
			err := (&RestartModules{Again: "again"}).Backup(t.Context(), tgt)
			var got *useraction.Required
			if errors.As(err, &got); !cmp.Equal(tt.want, got) {
				t.Errorf("%v", err)
			}
			for _, cmd := range c.Ran() {
				if strings.HasPrefix(cmd, "#") || strings.Contains(cmd, "savestate") {
					t.Errorf("touched: %s", cmd)
				}
			}
		})
	}
}
