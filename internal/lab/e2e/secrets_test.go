//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// window is how much of a private key must never be seen.
const window = 40

// secrets are all windows of all private keys, as base64 has them.
type secrets map[string]string

// keysBelow reads every private key in a directory.
func (s *scene) keysBelow(dir string) secrets {
	s.Helper()
	all := secrets{}
	keys := 0
	s.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		block, _ := pem.Decode(data)
		if block == nil || !strings.Contains(block.Type, "PRIVATE KEY") {
			return nil
		}
		keys++
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		// What comes before the private exponent is in the certificate, too.
		public := bytes.Index(block.Bytes, key.D.Bytes())
		all.add(path, base64.StdEncoding.EncodeToString(block.Bytes)[(public+2)/3*4:])
		return nil
	}))
	if keys < 4 {
		s.Fatalf("%d private keys below %s: want the CA's, the client's, the server's and SSH's", keys, dir)
	}
	return all
}

func (k secrets) add(from, text string) {
	for i := 0; i+window <= len(text); i++ {
		k[text[i:i+window]] = from
	}
}

// in names the key of which a window is in the text, "" if there is none.
func (k secrets) in(text []byte) string {
	run := 0 // of characters that base64 has
	for i, c := range text {
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' {
			run++
		} else {
			run = 0
		}
		if run < window {
			continue
		}
		if from, found := k[string(text[i+1-window:i+1])]; found {
			return from
		}
	}
	return ""
}

// watchProcesses looks at the command line and the environment of every process of
// this computer, which has those of the docker host too, until stop is called.
func watchProcesses(k secrets) (stop func() (leaks map[string]bool, looks int)) {
	ctx, cancel := context.WithCancel(context.Background())
	leaks, looks := map[string]bool{}, 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			procs, _ := filepath.Glob("/proc/[0-9]*")
			for _, p := range procs {
				for _, f := range []string{"cmdline", "environ"} {
					data, err := os.ReadFile(filepath.Join(p, f))
					if err != nil {
						continue // it has ended
					}
					if from := k.in(data); from != "" {
						leaks[fmt.Sprintf("%s of %s in %s: %q", from, p, f, bytes.ReplaceAll(data, []byte{0}, []byte(" ")))] = true
					}
				}
			}
			looks++
			time.Sleep(2 * time.Millisecond) // the computer has others to serve
		}
	})
	return func() (map[string]bool, int) {
		cancel()
		wg.Wait()
		return leaks, looks
	}
}

// Issue 3, line 7.
func TestSecretsStaySecret(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	k := s.keysBelow(s.lab.StoreDir())
	stop := watchProcesses(k)
	var output bytes.Buffer
	for _, args := range []string{
		"doctor -v default", "doctor -v --json default", "fix --yes -v default", "fix --yes --json --reissue default", "cert show default",
		"env default", "undo --list --json default", "undo -v default", "fix --yes default",
	} {
		// Nothing may depend on the user's umask.
		r, err := s.lab.Run(s.ctx(), nil, "sh", "-c", "umask 0; exec docker-vpn-helper "+args)
		s.must(err)
		fmt.Fprintf(&output, "%s\n%s%s", args, r.Stdout, r.Stderr)
	}
	leaks, looks := stop()
	for leak := range leaks {
		t.Error("private key on a command line or in an environment: ", leak)
	}
	if looks < 10 {
		t.Errorf("the processes were looked at %d times only", looks)
	}
	if from := k.in(output.Bytes()); from != "" {
		t.Errorf("%s is in the output:\n%s", from, output.String())
	}
	root := fmt.Sprintf("/proc/%d/root", s.vm.PID())
	searched := 0
	for _, dir := range []string{
		s.lab.Home(), filepath.Join(s.lab.Dir(), "vbox"), root + "/run", root + "/tmp",
		filepath.Join(s.vm.Dir, "upper"), filepath.Join(s.vm.Dir, "disk", "log"), filepath.Join(s.vm.Dir, "disk", "boot2docker"),
	} {
		searched += s.search(k, dir)
	}
	if searched < 20 {
		t.Errorf("%d files were searched only", searched)
	}
	t.Logf("%d looks at all processes, %d bytes of output and %d files searched for %d windows", looks, output.Len(), searched, len(k))
	s.wantPrivate(filepath.Join(s.lab.Home(), ".local"))
	s.wantPrivate(root + "/run/docker-vpn-helper")
}

// search looks for the keys in every file below dir, but for those whose place they
// have there.
func (s *scene) search(k secrets, dir string) (files int) {
	s.Helper()
	s.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err), err == nil && path == s.lab.StoreDir():
			return fs.SkipDir
		case err != nil, !d.Type().IsRegular(), strings.HasSuffix(path, "/boot2docker/server-key.pem"):
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		files++
		if from := k.in(data); from != "" {
			s.Errorf("%s is in %s", from, path)
		}
		return err
	}))
	return files
}

// wantPrivate wants files of 0600 and directories of 0700.
func (s *scene) wantPrivate(dir string) {
	s.Helper()
	s.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			s.Errorf("%s has mode %v, want %v", path, got, want)
		}
		return nil
	}))
}
