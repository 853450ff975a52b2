//go:build linux

package hostrules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/posix"
)

// shellHost runs scripts in a shell of this computer, with its own root directory.
type shellHost struct {
	*testing.T
	shell     []string
	root      string
	killAfter time.Duration // 0: never
}

func (h *shellHost) Run(ctx context.Context, c host.Cmd) (host.Output, error) {
	argv := append(h.shell[:len(h.shell):len(h.shell)], c.Argv[1:]...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+h.root+"/bin:"+os.Getenv("PATH"))
	cmd.Stdin = bytes.NewReader(bytes.Replace(c.Stdin, []byte("\nROOT=''\n"), []byte("\nROOT='"+h.root+"'\n"), 1))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return host.Output{}, err
	}
	if h.killAfter > 0 {
		time.AfterFunc(h.killAfter, func() { _ = cmd.Process.Kill() })
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if stderr.Len() > 0 {
		h.Logf("stderr: %s", stderr.String())
	}
	return host.Output{Stdout: stdout.Bytes()}, err
}

func (h *shellHost) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no connections")
}

// kernel is what the sets of this test have loaded.
func (h *shellHost) kernel() string {
	data, err := os.ReadFile(filepath.Join(h.root, "kernel"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.Fatal(err)
	}
	return string(data)
}

// files are what is on the docker host.
func (h *shellHost) files() string {
	var all strings.Builder
	for _, dir := range []string{"etc", "var"} {
		err := filepath.WalkDir(filepath.Join(h.root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() != "lock" {
				data, err := os.ReadFile(path)
				fmt.Fprintf(&all, "%s: %s\n", strings.TrimPrefix(path, h.root), data)
				return err
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.Fatal(err)
		}
	}
	return all.String()
}

func (h *shellHost) set(value string) Set {
	s := Set{
		Name: "test",
		Files: map[string]string{
			"apply":  "#!/bin/sh\ncd \"$(dirname \"$0\")\" && sleep 0.02 && cat value >" + h.root + "/kernel && ! grep -q bad value\n",
			"remove": "#!/bin/sh\nrm -f " + h.root + "/kernel\n",
			"value":  value,
		},
		Units: map[string]string{
			"docker.service.d/50-test.conf":    "[Service]\nExecStartPre=@DIR@/apply\n",
			"docker-vpn-helper-" + "test.path": "[Path]\nPathModified=/x'y\n",
		},
		Start: []string{"docker-vpn-helper-test.path"},
		Boot:  "bootsync.sh",
	}
	return s
}

// withoutUnits is a set as a docker host without systemd has it.
func withoutUnits(s Set) Set {
	s.Units, s.Start = map[string]string{}, nil
	return s
}

// each runs a test in every shell, on a docker host with systemd, on boot2docker and on one
// with neither.
func each(t *testing.T, do func(*shellHost, bool)) {
	for _, shell := range posix.Shells(t) {
		for _, init := range []string{"systemd", "boot2docker", "other"} {
			if init == "other" && shell[0] != "dash" {
				continue
			}
			systemd := init == "systemd"
			t.Run(shell[0]+" "+init, func(t *testing.T) {
				t.Parallel()
				h := &shellHost{T: t, shell: shell, root: t.TempDir()}
				root := h.root
				dirs := []string{"etc", "bin", map[string]string{"systemd": "run/systemd/system", "boot2docker": "var/lib/boot2docker", "other": "run"}[init]}
				for _, d := range dirs {
					h.must(os.MkdirAll(filepath.Join(root, d), 0o755))
				}
				h.must(os.WriteFile(filepath.Join(root, "bin/sync"), []byte("#!/bin/sh\n"), 0o755)) // the disk is of no interest here
				if systemd {                                                                        // one that starts timers and nothing else
					h.must(os.WriteFile(filepath.Join(root, "bin/systemctl"), []byte("#!/bin/sh\necho \"$@\" >>"+root+"/systemctl.log\ncase $1 in stop) touch "+root+"/${2}.stopped;; esac\n"), 0o755))
					h.must(os.WriteFile(filepath.Join(root, "bin/systemd-run"), []byte(`#!/bin/sh
for a; do case $a in --unit=*) u=${a#*=};; --on-active=*) s=${a#*=};; esac; done
for f; do :; done
( sleep ${s%s}; [ -f `+root+`/$u.timer.stopped ] || sh "$f" ) >/dev/null 2>&1 &
`), 0o755))
				}
				do(h, systemd)
			})
		}
	}
}

func (h *shellHost) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *shellHost) same(what string, want, got any) {
	h.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (h *shellHost) notPending(err error) {
	h.Helper()
	if !errors.Is(err, ErrNotPending) {
		h.Errorf("confirming what is not pending: %v", err)
	}
}

func (h *shellHost) await(what string, ok func() bool) {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.Fatalf("waited for %s: kernel %q\n%s", what, h.kernel(), h.files())
}
