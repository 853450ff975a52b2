package lab

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// packages maps the programs that the lab runs to the Debian packages that have
// them; scripts/debian-packages installs those.
func packages() map[string]string {
	return map[string]string{
		"ip": "iproute2", "nsenter": "util-linux", "iptables": "iptables", "ocserv": "ocserv", "ocpasswd": "ocserv",
		"openconnect": "openconnect", "/usr/sbin/sshd": "openssh-server", "/usr/bin/docker": "docker.io",
		"/usr/sbin/dockerd": "docker.io", "/bin/busybox": "busybox-static", "sudo": "sudo", "curl": "curl", "ps": "procps",
		"/lib/systemd/systemd": "systemd", "dbus-daemon": "dbus", "setsid": "util-linux",
	}
}

func missing() error {
	var need []string
	for program, pkg := range packages() {
		_, err := exec.LookPath(program)
		if strings.HasPrefix(program, "/") {
			_, err = os.Stat(program)
		}
		if err != nil && !slices.Contains(need, pkg) {
			need = append(need, pkg)
		}
	}
	if len(need) == 0 {
		return nil
	}
	slices.Sort(need)
	return fmt.Errorf("the lab needs what these Debian packages have: %s (scripts/debian-packages installs them)", strings.Join(need, " "))
}
