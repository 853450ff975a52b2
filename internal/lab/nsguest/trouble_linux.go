package nsguest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// Verdict is what a packet filter does with packets that it rejects.
type Verdict string

const (
	// Reset answers with a TCP reset: "connection refused".
	Reset Verdict = "REJECT --reject-with tcp-reset"
	// Drop answers with silence.
	Drop Verdict = "DROP"
)

// CloseSSH makes the docker host refuse or ignore every new connection to port 22.
func (v *VM) CloseSSH(ctx context.Context, how Verdict) error {
	return v.filter(ctx, "-I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j "+string(how))
}

// OpenSSH undoes CloseSSH and LimitSSH.
func (v *VM) OpenSSH(ctx context.Context) error {
	rules, err := v.Output(ctx, "iptables", "-S", "INPUT")
	if err != nil {
		return err
	}
	var errs []error
	for _, rule := range strings.Split(rules, "\n") {
		if strings.Contains(rule, "--dport 22 ") {
			errs = append(errs, v.filter(ctx, "-D"+strings.TrimPrefix(rule, "-A")))
		}
	}
	return errors.Join(errs...)
}

// LimitSSH imitates intrusion prevention: more than burst new connections to port 22 at once, or
// more than one for each refill later ("10/minute"), are answered like a brute-force attack.
func (v *VM) LimitSSH(ctx context.Context, burst int, refill string, how Verdict) error {
	return v.filter(ctx, fmt.Sprintf("-I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m hashlimit --hashlimit-name ssh --hashlimit-mode srcip --hashlimit-above %s --hashlimit-burst %d -j %s", refill, burst, how))
}

func (v *VM) filter(ctx context.Context, rule string) error {
	_, err := v.Output(ctx, append([]string{"iptables", "-w"}, strings.Fields(rule)...)...)
	return err
}

// KillSSHD ends sshd's listener, and waits until it is gone.
func (v *VM) KillSSHD(ctx context.Context) error {
	data, err := v.ReadFile("/run/sshd.pid")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return err
	}
	return v.kill(ctx, pid)
}

func (v *VM) kill(ctx context.Context, pid int) error {
	if pid == 0 {
		return errors.New("the process does not run")
	}
	if _, err := v.Output(ctx, "/bin/busybox", "kill", "-9", strconv.Itoa(pid)); err != nil {
		return err
	}
	return await.Until(ctx, fmt.Sprintf("process %d on %s to end", pid, v.Name), func() (bool, error) {
		_, err := v.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil, nil
	})
}

// Service starts, stops or restarts dockerd, as an administrator would.
func (v *VM) Service(ctx context.Context, verb string) error {
	argv := []string{"/etc/init.d/docker", verb}
	if v.Style == Systemd {
		argv = []string{"systemctl", verb, "docker.service"}
		if verb == "stop" {
			argv = append(argv, "docker.socket")
		}
	}
	_, err := v.Output(ctx, argv...)
	return err
}

// ImportBusybox makes the image "busybox" from this machine's static busybox.
func (v *VM) ImportBusybox(ctx context.Context) error {
	image, err := busyboxImage()
	if err != nil {
		return err
	}
	cmd := v.Enter(ctx, "/usr/bin/docker", "import", "--change", `CMD ["sh"]`, "-", "busybox")
	cmd.Stdin = bytes.NewReader(image)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("importing busybox on %s: %w: %s", v.Name, err, out)
	}
	return nil
}

func busyboxImage() ([]byte, error) {
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		err = errors.Join(err, w.WriteHeader(&h))
		_, werr := w.Write(data)
		err = errors.Join(err, werr)
	}
	add(tar.Header{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	add(tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	add(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, name := range []string{"sh", "echo", "cat", "ls", "sleep", "true", "false", "httpd", "nc", "wget", "hostname", "ip", "kill", "ps", "touch", "rm", "test", "seq"} {
		add(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
	}
	return buf.Bytes(), errors.Join(err, w.Close())
}
