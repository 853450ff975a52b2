package socket

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// programs are those that keep a dockerd in a VM or for a user, by a part of their
// sockets' paths: the commands that start them. A place for the name of the instance, which
// follows that part, is "*".
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

// applications keep a dockerd on macOS, and may serve /var/run/docker.sock.
var applications = []struct {
	name    string
	command []string
}{
	{"Docker.app", []string{"open", "-a", "Docker"}},
	{"OrbStack.app", []string{"open", "-a", "OrbStack"}},
	{"Rancher Desktop.app", []string{"open", "-a", "Rancher Desktop"}},
}

// starter is the command that starts what listens on a socket; nil where none is known.
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

// service starts the system's dockerd.
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
