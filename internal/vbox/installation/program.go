package installation

import "strings"

// Paths returns where installers put VBoxManage, in case it is not in PATH.
func Paths(os string) []string {
	if os == "darwin" {
		return []string{"/Applications/VirtualBox.app/Contents/MacOS/VBoxManage", "/usr/local/bin/VBoxManage"}
	}
	return []string{"/usr/bin/VBoxManage", "/usr/lib/virtualbox/VBoxManage", "/opt/VirtualBox/VBoxManage"}
}

// IsProcess reports whether a process of that name belongs to VirtualBox: VBoxHeadless,
// VirtualBoxVM (6.0 and later), VirtualBox (the window, and VMs before 6.0), VBoxNetNAT. Some
// process lists shorten names: lsof to nine letters.
func IsProcess(name string) bool {
	return strings.HasPrefix(name, "VBox") || strings.HasPrefix(name, "VirtualBo")
}
