package socket

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// programs are programs that run a dockerd in a VM or for one user. part is in the path of their
// sockets, command starts them. "*" in a command is replaced by the name that follows part in the path.
var programs = []struct {
	os, part string
	command  []string
}{
	{"", "/.colima/", []string{"colima", "start", "*"}},
	{"", "/colima/", []string{"colima", "start", "*"}}, // ~/.config/colima, $COLIMA_HOME
	{"", "/.rd/", []string{"rdctl", "start"}},
	{"", "/.orbstack/", []string{"orbctl", "start"}},
	{"", "/.lima/", []string{"limactl", "start", "*"}},
	{host.Darwin, "/.docker/run/", []string{"open", "-a", "Docker"}},
	{host.Linux, "/.docker/desktop/", []string{"systemctl", "--user", "start", "docker-desktop"}},
	{host.Linux, "/podman/podman.sock", []string{"systemctl", "--user", "start", "podman.socket"}},
	{host.Linux, "/run/user/", []string{"systemctl", "--user", "start", "docker"}},
}

// applications are macOS applications that run a dockerd, and may serve /var/run/docker.sock.
var applications = []struct {
	name    string
	command []string
}{
	{"Docker.app", []string{"open", "-a", "Docker"}},
	{"OrbStack.app", []string{"open", "-a", "OrbStack"}},
	{"Rancher Desktop.app", []string{"open", "-a", "Rancher Desktop"}},
}

// starter returns the command that starts the dockerd of a socket; nil if it is not known.
func starter(ctx context.Context, laptop host.Laptop, path string) []string {
	for _, p := range programs {
		_, rest, found := strings.Cut(path, p.part)
		if !found || p.os != "" && p.os != laptop.OS() {
			continue
		}
		command := append([]string{}, p.command...)
		if instance, _, ok := strings.Cut(rest, "/"); command[len(command)-1] == "*" {
			command = command[:len(command)-1]
			if ok && instance != "default" {
				command = append(command, instance)
			}
		}
		return command
	}
	if laptop.OS() == host.Darwin {
		return application(ctx, laptop)
	}
	return service(ctx, laptop)
}

// application returns the command that starts an installed application, or nil.
func application(ctx context.Context, laptop host.Laptop) []string {
	for _, app := range applications {
		if exists(ctx, laptop, "/Applications/"+app.name) {
			return app.command
		}
	}
	if _, err := laptop.LookPath("colima", "/opt/homebrew/bin/colima", "/usr/local/bin/colima"); err == nil {
		return []string{"colima", "start"}
	}
	return nil
}

// service returns the command that starts the system's dockerd, or nil.
func service(ctx context.Context, laptop host.Laptop) []string {
	if exists(ctx, laptop, "/run/systemd/system") {
		for _, dir := range []string{"/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"} {
			if exists(ctx, laptop, dir+"/docker.service") {
				return []string{"sudo", "systemctl", "start", "docker"}
			}
		}
	}
	if exists(ctx, laptop, "/etc/init.d/docker") {
		return []string{"sudo", "service", "docker", "start"}
	}
	return nil
}

func exists(ctx context.Context, laptop host.Laptop, path string) bool {
	entries, err := laptop.ReadDir(ctx, filepath.Dir(path))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name() == filepath.Base(path) {
			return true
		}
	}
	return false
}
