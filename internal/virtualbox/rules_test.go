package virtualbox

import (
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Somebody starts the VM between the question and the answer: the other verb is
// right then. Where the state is as before, the complaint stands.
func TestNATRuleGoesByTheVerbThatTheVMTakesNow(t *testing.T) {
	const started = `VirtualBox 6.1; docker/machine#1679 has the text.

-- computer --
os darwin
-- $ VBoxManage modifyvm default --natpf1 delete x => exit 1 --
-- stderr --
VBoxManage: error: The machine 'default' is already locked for a session (or being unlocked)
-- $ VBoxManage showvminfo 1111 --machinereadable --
name="default"
UUID="1111"
VMState="STATE"
-- $ VBoxManage controlvm default natpf1 delete x --
`
	for state, want := range map[string]string{"running": "", "poweroff": "removing NAT rule x: VBoxManage: The machine 'default' is already locked for a session (or being unlocked)"} {
		v, _ := on(t, strings.ReplaceAll(started, "STATE", state))
		vm := vbox.VM{Name: "default", UUID: "1111", State: vbox.PowerOff}
		got := ""
		if err := v.DeleteRule(t.Context(), &vm, 1, "x"); err != nil {
			got = err.Error()
		}
		if got != want || vm.State != vbox.State(state) {
			t.Errorf("%s: %q, %s", state, got, vm.State)
		}
	}
}
