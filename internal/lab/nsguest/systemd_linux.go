package nsguest

// systemd returns the files of a host that docker-machine has provisioned over a stock distribution
// with systemd (docker/machine b170508b, libmachine/provision/systemd.go): certificates in
// /etc/docker, dockerd's options in 10-machine.conf.
func (v *VM) systemd() []file {
	files := []file{
		{"/etc/systemd/system/docker.service.d/10-machine.conf", machineConf, 0o644},
		{"/etc/systemd/system/default.target", defaultTarget, 0o644},
		{"/etc/default/ssh", "SSHD_OPTS=\"-E /var/log/sshd.log\"\n", 0o644},
	}
	// Nothing that this machine happens to have installed may start in there.
	for _, unit := range masked() {
		files = append(files, file{"/etc/systemd/system/" + unit, "", 0o644}) // an empty unit file masks
	}
	return files
}

func masked() []string {
	return []string{
		"containerd.service", "systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
		"systemd-udev-trigger.service", "systemd-resolved.service", "systemd-networkd.service", "networking.service",
		"systemd-logind.service", "systemd-timesyncd.service", "dev-hugepages.mount", "dev-mqueue.mount",
		"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-remount-fs.service", "systemd-binfmt.service",
		"systemd-modules-load.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
		"fstrim.timer", "man-db.timer", "dpkg-db-backup.timer", "logrotate.timer", "ssh.socket",
	}
}

const machineConf = `[Service]
ExecStart=
ExecStart=/usr/bin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --storage-driver overlay2 --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem --label provider=virtualbox 
Environment=
`

const defaultTarget = `[Unit]
Description=A docker host
Requires=basic.target
Wants=ssh.service docker.service
After=basic.target
AllowIsolate=yes
`
