package fakedockerhost

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Disk is the content of a new guest's disk.
type Disk struct {
	Spec
	AuthorizedKey []byte // one line
	CACert        []byte
	ServerCert    []byte
	ServerKey     []byte
}

// Install makes a guest's directory. The guest is off.
func Install(dir string, d Disk) error {
	fill(&d.Spec)
	if len(controlSocket(dir))+len("root/run/docker.sock") > 100 {
		return fmt.Errorf("installing guest %s: %s is too long a path for the Unix sockets in it", d.Name, dir)
	}
	for _, sub := range []string{
		"bin", "faults", "count", "net", "jobs", "run", "root/etc/init.d", "root/etc/docker", "root/etc/systemd/system/docker.service.d",
		"root/run", "root/tmp", "root/var/log", "root/var/lib/docker", "root/proc", "root/root", "root/home/" + d.User + "/.ssh",
	} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for link, to := range map[string]string{"root/var/run": "../run", "root/var/tmp": "../tmp"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	spec, err := json.MarshalIndent(d.Spec, "", " ")
	if err != nil {
		return err
	}
	certs := "root/etc/docker/"
	files := map[string]string{
		"guest.json": string(spec), "root/etc/hostname": d.Name + "\n",
		"root/home/" + d.User + "/.ssh/authorized_keys": string(d.AuthorizedKey),
	}
	if d.Style == Systemd {
		files["root/etc/os-release"] = debianRelease
		files["root/etc/systemd/system/docker.service.d/10-machine.conf"] = machineConf
		files["root/etc/systemd/system/docker.service"] = dockerService
	} else {
		certs = "root/var/lib/boot2docker/"
		files["root/etc/os-release"] = fmt.Sprintf(boot2dockerRelease, d.Engine)
		files["root/etc/boot2docker"] = ""
		files[certs+"profile"] = profile
		files["root/etc/init.d/docker"] = initScript
	}
	files[certs+"ca.pem"] = string(d.CACert)
	files[certs+"server.pem"] = string(d.ServerCert)
	files[certs+"server-key.pem"] = string(d.ServerKey)
	for name, text := range files {
		if err := put(dir, name, text); err != nil {
			return err
		}
	}
	return installPrograms(dir, d.Style)
}

func fill(s *Spec) {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&s.Name, "default")
	set(&s.User, "docker")
	set(&s.IP, "192.168.99.100")
	if s.Style == "" {
		s.Style = Boot2docker
	}
	if s.Style == Systemd {
		set(&s.Engine, "20.10.24")
		set(&s.API, "1.41")
		return
	}
	if s.Engine == "" {
		s.OldTLS = true
	}
	set(&s.Engine, "18.09.1")
	set(&s.API, "1.39")
}

// put writes a file of the guest. Paths in its text are those of the guest.
func put(dir, name, text string) error {
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if strings.HasSuffix(name, "-key.pem") || strings.HasSuffix(name, "authorized_keys") {
		mode = 0o600
	}
	return os.WriteFile(file, []byte(mapIn(filepath.Join(dir, "root"), text)), mode)
}

// realPrograms are this computer's programs that commands in the guest may run.
func realPrograms() []string {
	return strings.Fields(`[ awk base64 basename cat chmod cksum cmp cp cut dd df diff dirname echo env expr false find
		fold grep gunzip gzip head kill ln ls md5sum mkdir mkfifo mktemp mv nohup od openssl paste printf pwd readlink rm
		rmdir sed seq sh sha256sum sleep sort stat sync tail tar tee test timeout touch tr true tty uname uniq wc which xargs yes`)
}

// installPrograms fills Dir/bin: links to the real programs, and the fakes.
func installPrograms(dir string, style Style) error {
	for _, name := range realPrograms() {
		path, err := exec.LookPath(name)
		if err != nil {
			continue // macOS has no sha256sum and the like, so the guest has none either
		}
		if err := os.Symlink(path, filepath.Join(dir, "bin", name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	fakes := commonPrograms()
	if style == Systemd {
		for name, text := range systemdPrograms() {
			fakes[name] = text
		}
	}
	if ownProc() {
		fakes["sh"] = shell
	}
	for name, text := range fakes {
		os.Remove(filepath.Join(dir, "bin", name)) // never write through a link to a real program
		if err := put(dir, "bin/"+name, text); err != nil {
			return err
		}
	}
	return nil
}

// bootFiles resets the guest's disk to the state of a fresh boot.
func (g *Guest) bootFiles() error {
	os.Remove(g.path("saved-dockerd"))
	for _, volatile := range []string{"jobs/*", "root/run/*", "root/tmp/*", "root/proc/*", "run/*", "net/*"} {
		found, _ := filepath.Glob(g.path(volatile))
		for _, f := range found {
			os.RemoveAll(f)
		}
	}
	if err := g.bootProc(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(g.dockerLog()), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(g.dockerLog(), nil, 0o644); err != nil {
		return err
	}
	return os.WriteFile(g.path("run", "ip-addr"), []byte(ipAddr(g.spec.IP, g.macs)), 0o644)
}

// ipAddr returns what "ip addr show" prints. docker-machine finds the host-only address by the
// adapter's MAC.
func ipAddr(ip string, macs []string) string {
	addrs := []string{"10.0.2.15", ip}
	out := "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n" +
		"    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n"
	for i, mac := range macs {
		if i >= len(addrs) || len(mac) != 12 {
			break
		}
		var b []string
		for j := 0; j < 12; j += 2 {
			b = append(b, strings.ToLower(mac[j:j+2]))
		}
		out += fmt.Sprintf("%d: eth%d: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP group default qlen 1000\n"+
			"    link/ether %s brd ff:ff:ff:ff:ff:ff\n    inet %s/24 brd %s scope global eth%d\n       valid_lft forever preferred_lft forever\n",
			i+2, i, strings.Join(b, ":"), addrs[i], addrs[i][:strings.LastIndex(addrs[i], ".")]+".255", i)
	}
	return out
}
