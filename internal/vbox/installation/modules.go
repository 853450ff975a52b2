// Package installation is what VirtualBox has on the laptop beside VBoxManage: its kernel
// modules, its processes, and the file that limits host-only addresses.
package installation

import (
	"errors"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Where the macOS package puts its kernel extensions and the script that loads
// them (VirtualBox/virtualbox, src/VBox/Installer/darwin; up to 6.1, and later
// only in builds that still have kernel extensions).
const (
	KextDir       = "/Library/Application Support/VirtualBox"
	KextDriver    = "VBoxDrv.kext"
	StartupScript = "/Library/Application Support/VirtualBox/LaunchDaemons/VirtualBoxStartup.sh"
)

// NetCtlDevice is in /dev while VBoxNetAdp is loaded. macOS 10.13 and later load
// it only after the user has allowed it (rapid7/metasploitable3#267).
const NetCtlDevice = "vboxnetctl"

// StartupRestart unloads and loads the kernel extensions. It fails while any
// process has one open.
func StartupRestart() []string { return []string{StartupScript, "restart"} }

// KextsUnsupported reports that macOS refuses the kernel extensions for good, so that
// allowing them is no use (kmutil's words; gasolin/foxbox#32, macOS 13).
func KextsUnsupported(err error) bool {
	var exit *host.CmdError
	return errors.As(err, &exit) && strings.Contains(exit.Stdout+exit.Stderr, "extensions are unsupported to load")
}

// ServiceRestart restarts the modules on Linux where vboxdrv is a service.
func ServiceRestart() []string { return []string{"systemctl", "restart", "vboxdrv"} }

// ModprobeRestart does what the service does where a distribution packs the
// modules with dkms and has no service: those that need vboxdrv go first and
// come last (vboxdrv.sh).
func ModprobeRestart(modprobe string) [][]string {
	return [][]string{
		{modprobe, "-r", "vboxnetadp", "vboxnetflt", "vboxdrv"},
		{modprobe, "-a", "vboxdrv", "vboxnetflt", "vboxnetadp"},
	}
}

// HoldsModules reports whether a process of that name keeps the kernel modules from
// being unloaded: VMs, and the network services that VMs share. The window
// ("VirtualBox") runs its VMs in processes of their own only since 6.0.
// VBoxSVC and VBoxManage do not open the driver.
func HoldsModules(name string, v vbox.Version) bool {
	switch name {
	case "VBoxHeadless", "VirtualBoxVM", "VBoxSDL", "VBoxNetNAT", "VBoxNetDHCP":
		return true
	}
	return name == Window && !v.AtLeast(6, 0, 0)
}

// Server is VirtualBox's own server, one for each user.
const Server = "VBoxSVC"

// Window is the process of VirtualBox's own window.
const Window = "VirtualBox"
