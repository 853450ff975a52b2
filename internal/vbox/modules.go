package vbox

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

// HoldsModules says whether a process of that name keeps the kernel modules from
// being unloaded: VMs, and the network services that VMs share. The window
// ("VirtualBox") runs its VMs in processes of their own only since 6.0.
// VBoxSVC and VBoxManage do not open the driver.
func HoldsModules(name string, v Version) bool {
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
