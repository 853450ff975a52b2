package virtualbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

func TestHowTheKernelModulesAreRestarted(t *testing.T) {
	const kexts = "-- /Library/Application Support/VirtualBox/VBoxDrv.kext/Contents/Info.plist --\n" +
		"-- /Library/Application Support/VirtualBox/LaunchDaemons/VirtualBoxStartup.sh --\n"
	for situation, tt := range map[string]struct {
		os, version, rest string
		want              Modules
	}{
		"a_service": {"linux", "6.1.26r145957", "-- $ systemctl cat vboxdrv.service --\n[Unit]\n",
			Modules{Steps: [][]string{{"systemctl", "restart", "vboxdrv"}}}},
		"no_service_but_vboxconfig": {"linux", "6.1.26r145957", "-- $ systemctl cat vboxdrv.service => exit 1 --\n-- /sbin/vboxconfig --\n",
			Modules{Steps: [][]string{{"/sbin/vboxconfig"}}}},
		"modules_alone": {"linux", "6.1.26r145957", "-- $ modinfo -F filename vboxdrv --\n-- /sbin/modprobe --\n",
			Modules{Steps: installation.ModprobeRestart("/sbin/modprobe")}},
		"none": {"linux", "6.1.26r145957", "", Modules{NoRestart: "neither a service vboxdrv nor vboxconfig nor a module vboxdrv is installed: reinstall VirtualBox"}},
		"kernel_extensions": {"darwin", "6.1.26r145957", kexts + "-- /dev/vboxnetctl --\n",
			Modules{Steps: [][]string{installation.StartupRestart()}}},
		"kernel_extensions_that_macos_does_not_load": {"darwin", "6.1.26r145957", kexts,
			Modules{Steps: [][]string{installation.StartupRestart()}, Blocked: true}},
		"virtualbox_7_on_macos": {"darwin", "7.0.8r156879", "",
			Modules{NoRestart: "VirtualBox 7.0.8r156879 on macOS has no kernel extensions, so that there are none to restart", NotNeeded: true}},
		"an_incomplete_installation": {"darwin", "6.1.26r145957", "",
			Modules{NoRestart: installation.StartupScript + " is missing: reinstall VirtualBox"}},
	} {
		t.Run(situation, func(t *testing.T) {
			v, _ := on(t, "x\n-- computer --\nos "+tt.os+"\n"+tt.rest+"-- $ VBoxManage --version --\n"+tt.version+"\n")
			got, err := v.Modules(t.Context())
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Modules{}, "Version")); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

// VBox.sh prints the warning on stdout, before the version.
func TestModulesThatAreNotLoaded(t *testing.T) {
	const warning = "WARNING: The vboxdrv kernel module is not loaded.\n"
	const kexts = "-- /Library/Application Support/VirtualBox/VBoxDrv.kext/Contents/Info.plist --\n" +
		"-- /Library/Application Support/VirtualBox/LaunchDaemons/VirtualBoxStartup.sh --\n"
	for situation, tt := range map[string]struct {
		os, rest, warning string
		want              bool
	}{
		"loaded":                 {"linux", "", "", false},
		"vboxmanage_warns":       {"linux", "", warning, true},
		"macos_has_loaded_them":  {"darwin", kexts + "-- /dev/vboxnetctl --\n", "", false},
		"macos_has_blocked_them": {"darwin", kexts, "", true},
	} {
		t.Run(situation, func(t *testing.T) {
			v, _ := on(t, "x\n-- computer --\nos "+tt.os+"\n"+tt.rest+"-- $ VBoxManage --version --\n"+tt.warning+"6.1.26r145957\n")
			if got, err := v.ModulesUnloaded(t.Context()); err != nil || got != tt.want {
				t.Errorf("%t, %v, want %t", got, err, tt.want)
			}
		})
	}
}

func TestWhichProcessesUseTheModules(t *testing.T) {
	v, _ := on(t, `Debian 12.

-- computer --
os linux
process 41 VBoxHeadless VBoxHeadless --comment dev --startvm 1111
process 42 VBoxSVC
foreign 43 VirtualBoxVM
process 44 bash
-- $ VBoxManage --version --
6.1.26r145957
`)
	m, err := v.Modules(t.Context())
	want := []host.Process{{PID: 41, Name: "VBoxHeadless", Args: "VBoxHeadless --comment dev --startvm 1111"}, {PID: 43, Name: "VirtualBoxVM", Foreign: true}}
	if diff := cmp.Diff(want, m.Users); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
