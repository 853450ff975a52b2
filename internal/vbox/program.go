package vbox

import (
	"path/filepath"
	"strings"
)

// Paths are where VBoxManage is when it is not in PATH: where the installers
// put it, and the folder that the Windows installer names in the environment.
// An older Toolbox wrote VBOX_INSTALL_PATH instead (docker/machine b170508b,
// drivers/virtualbox/virtualbox_windows.go).
func Paths(os string, getenv func(string) string) []string {
	var paths []string
	for _, key := range []string{"VBOX_MSI_INSTALL_PATH", "VBOX_INSTALL_PATH"} {
		if dir := getenv(key); dir != "" {
			paths = append(paths, filepath.Join(dir, "VBoxManage"))
		}
	}
	switch os {
	case "darwin":
		paths = append(paths, "/Applications/VirtualBox.app/Contents/MacOS/VBoxManage", "/usr/local/bin/VBoxManage")
	case "linux":
		paths = append(paths, "/usr/bin/VBoxManage", "/usr/lib/virtualbox/VBoxManage", "/opt/VirtualBox/VBoxManage")
	}
	return paths
}

// IsProcess says whether a process of that name is VirtualBox's own: VBoxHeadless,
// VirtualBoxVM (6.0 and later), VirtualBox (the window, and the VM before 6.0),
// VBoxNetNAT. Some process lists cut names short: lsof to nine letters.
func IsProcess(name string) bool {
	return strings.HasPrefix(name, "VBox") || strings.HasPrefix(name, "VirtualBo")
}
