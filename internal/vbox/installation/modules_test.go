package installation

import (
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

func TestHoldsModules(t *testing.T) {
	old, current := vbox.Version{Major: 5, Minor: 2, Patch: 44}, vbox.Version{Major: 6, Minor: 1, Patch: 26}
	for name, want := range map[string][2]bool{
		"VBoxHeadless": {true, true}, "VirtualBoxVM": {true, true}, "VBoxNetDHCP": {true, true},
		"VirtualBox": {true, false}, "VBoxSVC": {false, false}, "VBoxManage": {false, false},
	} {
		if got := [2]bool{HoldsModules(name, old), HoldsModules(name, current)}; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
