// Package installation is about the parts of VirtualBox on the laptop besides VBoxManage: kernel
// modules, processes, and the file that limits host-only addresses.
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

// NetCtlDevice is the name in /dev that exists while VBoxNetAdp is loaded. macOS 10.13 and later
// load it only after the user has allowed it (rapid7/metasploitable3#267).
const NetCtlDevice = "vboxnetctl"

// StartupRestart returns the command that unloads and loads the kernel extensions. It fails while
// any process has one open.
func StartupRestart() []string { return []string{StartupScript, "restart"} }

// KextsUnsupported reports whether macOS never loads the kernel extensions, so that allowing them
// does not help (kmutil's words; gasolin/foxbox#32, macOS 13).
func KextsUnsupported(err error) bool {
	var exit *host.CmdError
	return errors.As(err, &exit) && strings.Contains(exit.Stdout+exit.Stderr, "extensions are unsupported to load")
}

// ServiceRestart restarts the modules on Linux if vboxdrv is a service.
func ServiceRestart() []string { return []string{"systemctl", "restart", "vboxdrv"} }

// ModprobeRestart does the same with modprobe, for distributions that build the modules with dkms
// and have no service. The modules that need vboxdrv are unloaded first and loaded last
// (vboxdrv.sh).
func ModprobeRestart(modprobe string) [][]string {
	return [][]string{
		{modprobe, "-r", "vboxnetadp", "vboxnetflt", "vboxdrv"},
		{modprobe, "-a", "vboxdrv", "vboxnetflt", "vboxnetadp"},
	}
}

// HoldsModules reports whether a process of that name prevents the kernel modules from being
// unloaded: VMs, and the network services that VMs share. Before 6.0 the window ("VirtualBox") ran
// VMs in its own process. VBoxSVC and VBoxManage do not open the driver.
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
