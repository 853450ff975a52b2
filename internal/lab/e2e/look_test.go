//go:build e2e && linux

package e2e

import (
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What a test looks at before and after.

// tree reads all files below a directory of the laptop.
func (s *scene) tree(dir string) map[string]string {
	s.Helper()
	files := map[string]string{}
	s.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(filepath.Dir(path), "/Logs") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		files[rel+" mode"] = info.Mode().String()
		return err
	}))
	return files
}

// served is the certificate that dockerd shows right now.
func (s *scene) served() string {
	s.Helper()
	conn, err := s.vm.DialNAT(s.ctx(), 2376)
	s.must(err)
	defer conn.Close()
	t := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	// Without a client certificate dockerd hangs up, but only after it has shown its own.
	_ = t.HandshakeContext(s.ctx())
	peers := t.ConnectionState().PeerCertificates
	if len(peers) == 0 {
		s.Fatal("dockerd shows no certificate")
	}
	return string(peers[0].Raw)
}

func (s *scene) hostFiles() map[string][]byte {
	s.Helper()
	files, err := s.vm.CertFiles()
	s.must(err)
	for _, path := range []string{"/var/lib/boot2docker/profile", "/etc/systemd/system/docker.service.d/10-machine.conf"} {
		if data, err := s.vm.ReadFile(path); err == nil {
			files[path] = data
		}
	}
	return files
}

// sleeper starts a container that stops at once when it is told to.
func (s *scene) sleeper(name string, args ...string) {
	s.Helper()
	argv := slices.Concat([]string{"run", "-d", "--stop-signal=KILL", "--name", name}, args, []string{"busybox", "sleep", "1000"})
	_, err := s.vm.Docker(s.ctx(), argv...)
	s.must(err)
}

// containers lists id, name, state and start of every container.
func (s *scene) containers() string {
	s.Helper()
	ids, err := s.vm.Docker(s.ctx(), "ps", "-aq", "--no-trunc")
	s.must(err)
	if ids == "" {
		return ""
	}
	out, err := s.vm.Docker(s.ctx(), append([]string{"inspect", "-f", "{{.Id}} {{.Name}} {{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}"}, strings.Fields(ids)...)...)
	s.must(err)
	return out
}
