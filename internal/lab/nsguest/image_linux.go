package nsguest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The docker host's user and group, as on boot2docker ("docker" and "staff").
const (
	userID  = 1000
	groupID = 50
)

// file is one file of the image, by its path on the docker host.
type file struct {
	path string
	data string
	perm fs.FileMode
}

// install writes the files of the docker host that differ from this machine's.
func (v *VM) install(id Identity) error {
	key, pub, err := hostKey()
	if err != nil {
		return err
	}
	files, err := v.common()
	if err != nil {
		return err
	}
	certs := []file{
		{v.CertDir() + "/ca.pem", string(id.CACert), 0o644},
		{v.CertDir() + "/server.pem", string(id.ServerCert), 0o644},
		{v.CertDir() + "/server-key.pem", string(id.ServerKey), 0o600},
		{v.hostKeyPath(), key, 0o600},
		{v.hostKeyPath() + ".pub", pub, 0o644},
	}
	switch v.Style {
	case Boot2docker:
		files = append(files, v.boot2docker()...)
		for _, f := range append(certs, file{"/var/lib/boot2docker/profile", profile, 0o644}) {
			rel := strings.TrimPrefix(f.path, "/var/lib/boot2docker/")
			if err := put(v.disk("boot2docker"), file{rel, f.data, f.perm}); err != nil {
				return err
			}
		}
	case Systemd:
		files = append(append(files, v.systemd()...), certs...)
	default:
		return fmt.Errorf("unknown style %q", v.Style)
	}
	image := filepath.Join(v.Dir, "image")
	for _, f := range append(files, file{"/home/docker/.ssh/authorized_keys", string(id.AuthorizedKeys), 0o600}) {
		if err := put(image, f); err != nil {
			return err
		}
	}
	for path, target := range v.links() {
		path = filepath.Join(image, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	if err := otherDocker(image); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(image, "home/docker"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if err := os.Chmod(path, 0o700); err != nil {
				return err
			}
		}
		return os.Lchown(path, userID, groupID)
	})
}

// OtherDocker returns a directory with docker, dockerd and perhaps docker-proxy and runc, which
// replace this machine's on the laptop and the docker hosts, and with docker's plugins in
// cli-plugins; "" if there is none. It may be /var/tmp/docker29, but not below /tmp or /run, which
// are a docker host's own.
func OtherDocker() string { return os.Getenv("DVH_DOCKER") }

func otherDocker(image string) error {
	from := OtherDocker()
	if from == "" {
		return nil
	}
	for name, dir := range map[string]string{"docker": "usr/bin", "dockerd": "usr/sbin", "docker-proxy": "usr/sbin", "runc": "usr/sbin"} {
		if _, err := os.Stat(filepath.Join(from, name)); err != nil {
			continue
		}
		to := filepath.Join(image, dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(from, name), to); err != nil {
			return err
		}
	}
	return nil
}

func put(root string, f file) error {
	path := filepath.Join(root, f.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(f.data), f.perm); err != nil {
		return err
	}
	return os.Chmod(path, f.perm)
}

func (v *VM) hostKeyPath() string {
	if v.Style == Systemd {
		return "/etc/ssh/ssh_host_ed25519_key"
	}
	return "/var/lib/boot2docker/ssh/ssh_host_ed25519_key"
}

func hostKey() (private, public string, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", "", err
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(sshPub)), nil
}

// common returns the files of both styles: the user docker, who may do everything with sudo, and
// sshd.
func (v *VM) common() ([]file, error) {
	passwd, err := account("/etc/passwd", 2, userID, fmt.Sprintf("docker:x:%d:%d:Docker:/home/docker:/bin/bash", userID, groupID))
	if err != nil {
		return nil, err
	}
	shadow, err := account("/etc/shadow", 0, 0, "docker:*:19000:0:99999:7:::")
	if err != nil {
		return nil, err
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return nil, err
	}
	groups := strings.Split(strings.TrimSpace(string(group)), "\n")
	for i, line := range groups {
		if strings.HasPrefix(line, "docker:") {
			groups[i] = strings.Join(append(strings.SplitN(line, ":", 4)[:3], "docker"), ":")
		}
	}
	return []file{
		{"/etc/passwd", passwd, 0o644},
		{"/etc/shadow", shadow, 0o640},
		{"/etc/group", strings.Join(groups, "\n") + "\n", 0o644},
		{"/etc/hostname", v.Name + "\n", 0o644},
		{"/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 " + v.Name + "\n::1 localhost\n", 0o644},
		{"/etc/sudoers", sudoers, 0o440},
		{"/etc/ssh/sshd_config", sshdConfig + "HostKey " + v.hostKeyPath() + "\n", 0o644},
		{"/etc/machine-id", "", 0o444},
	}, nil
}

// account returns a passwd(5)-like file of this machine with one more line. Other lines with the
// same name, or the same number in the given field (0: none), are removed.
func account(path string, field, number int, line string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(line, ":")
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		parts := strings.Split(l, ":")
		if parts[0] == name || field > 0 && len(parts) > field && parts[field] == fmt.Sprint(number) {
			continue
		}
		lines = append(lines, l)
	}
	return strings.Join(append(lines, line), "\n") + "\n", nil
}

// links are the programs whose paths are different on this machine.
func (v *VM) links() map[string]string {
	l := map[string]string{
		"/usr/local/bin/docker":  "/usr/bin/docker",
		"/usr/local/bin/netstat": "/bin/busybox",
	}
	if v.Style == Boot2docker {
		l["/usr/local/bin/dockerd"] = "/usr/sbin/dockerd"
		for _, name := range []string{"reboot", "poweroff", "halt"} {
			l["/usr/sbin/"+name] = "/bin/busybox"
		}
	} else {
		l["/usr/bin/dockerd"] = "/usr/sbin/dockerd" // where docker.com's packages put it
	}
	return l
}

const sudoers = `Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
docker ALL=(ALL) NOPASSWD: ALL
`

// There are no password logins and no PAM, which would use this machine's limits and modules.
const sshdConfig = `Port 22
LogLevel VERBOSE
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
MaxStartups 10:30:60
UseDNS no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
`
