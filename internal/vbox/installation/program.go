package installation

import "strings"

// Paths are where installers put VBoxManage, for where it is not in PATH.
func Paths(os string) []string {
	if os == "darwin" {
		return []string{"/Applications/VirtualBox.app/Contents/MacOS/VBoxManage", "/usr/local/bin/VBoxManage"}
	}
	return []string{"/usr/bin/VBoxManage", "/usr/lib/virtualbox/VBoxManage", "/opt/VirtualBox/VBoxManage"}
}

// IsProcess reports whether a process of that name is VirtualBox's own: VBoxHeadless,
// VirtualBoxVM (6.0 and later), VirtualBox (the window, and the VM before 6.0),
// VBoxNetNAT. Some process lists cut names short: lsof to nine letters.
func IsProcess(name string) bool {
	return strings.HasPrefix(name, "VBox") || strings.HasPrefix(name, "VirtualBo")
}
