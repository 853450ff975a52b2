//go:build linux

package hostrules

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
		if _, err := os.Stat(filepath.Join(h.root, "var/lib/boot2docker")); err != nil {
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
