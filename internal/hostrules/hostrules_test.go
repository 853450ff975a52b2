package hostrules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
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

func shells(t *testing.T) [][]string {
	var all [][]string
	for _, s := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "ash"}} {
		if _, err := exec.LookPath(s[0]); err == nil {
			all = append(all, s)
		}
	}
	if runtime.GOOS != "linux" || len(all) == 0 {
		t.Skip("the scripts are for Linux")
	}
	return all
}

// each runs a test in every shell, on a docker host with systemd and on one without.
func each(t *testing.T, do func(*shellHost, bool)) {
	for _, shell := range shells(t) {
		for _, systemd := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s systemd=%v", shell[0], systemd), func(t *testing.T) {
				t.Parallel()
				h := &shellHost{T: t, shell: shell, root: t.TempDir()}
				root := h.root
				dirs := []string{"var/lib/boot2docker", "etc", "bin"}
				if systemd {
					dirs = []string{"run/systemd/system", "etc", "bin"}
				}
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

func TestInstallAndRemove(t *testing.T) {
	each(t, func(h *shellHost, systemd bool) {
		ctx := h.Context()
		one, two := h.set("one\nit's\n"), h.set("two")
		if !systemd {
			one, two = withoutUnits(one), withoutUnits(two)
		} else {
			one.Boot, two.Boot = "", ""
			delete(two.Units, "docker-vpn-helper-test.path")
			two.Start = nil
		}
		before := h.files()
		h.must(Install(ctx, h, one, "a", 0))
		h.same("kernel", "one\nit's\n", h.kernel())
		s, err := Read(ctx, h, "test")
		h.must(err)
		h.same("installed", &one, s.Installed)
		h.same("pending", (*Pending)(nil), s.Pending)
		all := h.files()
		h.must(Install(ctx, h, one, "b", 0))
		h.same("files after the same again", all, h.files())

		h.must(Install(ctx, h, two, "c", 0))
		h.same("kernel", "two", h.kernel())
		s, err = Read(ctx, h, "test")
		h.must(err)
		h.same("installed", &two, s.Installed)

		h.must(Remove(ctx, h, two, ""))
		h.same("kernel", "", h.kernel())
		h.same("files", before, h.files())
		h.must(Remove(ctx, h, two, "")) // twice
		h.must(Remove(ctx, h, two, "ports 80"))
		s, err = Read(ctx, h, "test")
		h.must(err)
		h.same("saved", "ports 80", s.Saved)
	})
}

func TestNotConfirmed(t *testing.T) {
	each(t, func(h *shellHost, systemd bool) {
		ctx := h.Context()
		one, two := h.set("one"), h.set("two")
		if !systemd {
			one, two = withoutUnits(one), withoutUnits(two)
		}
		before := h.files()
		h.must(Install(ctx, h, one, "a", 2*time.Second))
		h.same("kernel", "one", h.kernel())
		s, err := Read(ctx, h, "test")
		h.must(err)
		if s.Installed != nil || s.Pending == nil || s.Pending.Token != "a" || s.Pending.Left > 2*time.Second || !s.Pending.Set.Equal(&one) {
			h.Errorf("state: %+v %+v", s, s.Pending)
		}
		h.await("the revert", func() bool { return h.kernel() == "" })
		h.await("its files to go", func() bool { return h.files() == before })
		h.notPending(Confirm(ctx, h, "test", "a"))

		h.must(Install(ctx, h, one, "a", 30*time.Second))
		h.notPending(Confirm(ctx, h, "test", "b"))
		h.must(Confirm(ctx, h, "test", "a"))
		s, err = Read(ctx, h, "test")
		h.must(err)
		if s.Installed == nil || s.Pending != nil {
			h.Errorf("state after the confirmation: %+v", s)
		}
		lasting := h.files()

		h.must(Install(ctx, h, two, "c", time.Second))
		h.same("kernel", "two", h.kernel())
		h.await("the revert to what was before", func() bool { return h.kernel() == "one" })
		h.await("its files to go", func() bool { return h.files() == lasting })
		h.must(Install(ctx, h, two, "d", 30*time.Second))
		h.must(Revert(ctx, h, "test", ""))
		h.same("kernel", "one", h.kernel())
		h.same("files", lasting, h.files())

		var failed *ScriptError
		if err := Install(ctx, h, h.set("bad"), "e", 30*time.Second); !errors.As(err, &failed) {
			h.Errorf("an apply that fails: %v", err)
		}
		h.same("kernel after a failure", "one", h.kernel())
		h.same("files after a failure", lasting, h.files())
	})
}

// A run that is killed leaves the kernel as it was or as it was to be, and the next one
// finishes.
func TestKilled(t *testing.T) {
	each(t, func(h *shellHost, systemd bool) {
		ctx := h.Context()
		one, two := h.set("one"), h.set("two")
		if !systemd {
			one, two = withoutUnits(one), withoutUnits(two)
		} else {
			one.Boot, two.Boot = "", ""
		}
		for i := range 4 {
			h.must(Install(ctx, h, one, "a", 0))
			h.killAfter = time.Duration(rand.IntN(250)) * time.Millisecond
			_ = Install(ctx, h, two, "b", 0)
			h.killAfter = 0
			if k := h.kernel(); k != "one" && k != "two" && k != "" {
				h.Errorf("kernel: %q", k)
			}
			next := []Set{one, two}[i%2]
			h.must(Install(ctx, h, next, "c", 0))
			s, err := Read(ctx, h, "test")
			h.must(err)
			h.same("installed", &next, s.Installed)
			h.same("kernel", next.Files["value"], h.kernel())
		}
		h.killAfter = time.Duration(rand.IntN(100)) * time.Millisecond
		_ = Remove(ctx, h, one, "")
		h.killAfter = 0
		h.must(Remove(ctx, h, one, ""))
		h.same("kernel", "", h.kernel())
		h.same("files", "", h.files())
	})
}

// What the operator has in bootsync.sh stays.
func TestBootFile(t *testing.T) {
	each(t, func(h *shellHost, systemd bool) {
		if systemd {
			return
		}
		s := withoutUnits(h.set("one"))
		for _, file := range []string{"bootsync.sh", "bootlocal.sh"} {
			path := filepath.Join(h.root, "var/lib/boot2docker", file)
			const own = "#!/bin/sh\necho mine\nexit 0"
			h.must(os.WriteFile(path, []byte(own), 0o755))
			s.Boot = file
			h.must(Install(h.Context(), h, s, "a", 0))
			data, err := os.ReadFile(path)
			h.must(err)
			line := "sh " + h.root + "/var/lib/boot2docker/docker-vpn-helper/test/apply # docker-vpn-helper test\n"
			h.same(file, map[string]string{
				"bootsync.sh":  "#!/bin/sh\n" + line + "echo mine\nexit 0",
				"bootlocal.sh": own + "\n" + line,
			}[file], string(data))
			h.must(Remove(h.Context(), h, s, ""))
			data, err = os.ReadFile(path)
			h.must(err)
			h.same(file+" after", own, strings.TrimSuffix(string(data), "\n"))
		}
	})
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
