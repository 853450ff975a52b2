package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// dockerHost is the access of one run to a docker host of that driver.
func dockerHost(t *testing.T, driver, dir string, now *time.Time, m mode.Mode) *Access {
	t.Helper()
	a := New(Config{
		Laptop: host.NewLocal(host.Sudo{}), Machine: store.Machine{Name: "default", Driver: driver},
		StateDir: dir, MachineDir: dir + "/default", Now: func() time.Time { return *now }, Notify: t.Logf,
		Mode:          func() mode.Mode { return m },
		AcceptHostKey: func() bool { return false }, VMAnswers: func(context.Context) bool { return false },
	})
	t.Cleanup(a.background.Wait)
	return a
}

func TestAtMostThreeConnectionsAMinuteAcrossRuns(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	dir, address := t.TempDir(), Address{Addr: "192.0.2.7:22"}
	for i, run := range []struct {
		what    string
		mode    mode.Mode
		after   time.Duration
		allowed bool
	}{
		{"fix", mode.Repair(), 0, true},
		{"doctor", mode.Mode{}, 0, true},
		{"doctor again, which leaves the last one to a repair", mode.Mode{}, 0, false},
		{"undo", mode.Repair(), 0, true},
		{"fix, which waits", mode.Repair(), 0, false},
		{"fix --dry-run", mode.Mode{}, 0, false},
		{"doctor a minute later", mode.Mode{}, time.Minute, true},
	} {
		now = now.Add(run.after)
		a := dockerHost(t, "generic", dir, &now, run.mode)
		notice := ""
		a.Notify = func(format string, args ...any) { notice = fmt.Sprintf(format, args...) }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := a.admit(ctx, address)
		cancel()
		a.background.Wait()
		if (err == nil) != run.allowed {
			t.Errorf("run %d, %s: %v", i, run.what, err)
		}
		switch {
		case run.allowed:
		case run.mode.IsRepair():
			if !strings.Contains(notice, "waiting 5") {
				t.Errorf("run %d, %s waits without a notice: %q", i, run.what, notice)
			}
		case !Skipped(err):
			t.Errorf("run %d, %s: %v is not a skipped login", i, run.what, err)
		}
		now = now.Add(time.Second)
	}
}

func TestAVMIsExemptUntilItHasCutUsOff(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	dir, address := t.TempDir(), Address{Addr: "127.0.0.1:50022", NAT: true}
	for i := range 6 {
		a := dockerHost(t, "virtualbox", dir, &now, mode.Mode{})
		if i == 5 {
			a.RecordCut(t.Context(), address, false, false)
			a.background.Wait()
		}
		_, _, err := a.admit(t.Context(), address)
		a.background.Wait()
		if (err != nil) != (i == 5) {
			t.Errorf("connection %d: %v", i, err)
		}
		var held *HeldBackError
		if errors.As(err, &held) && (held.Cut == 0 || Skipped(err)) {
			t.Errorf("the cut-off is not known: %+v", held)
		}
		now = now.Add(time.Second)
	}
}

func TestNoConnectionDuringABan(t *testing.T) {
	for name, tt := range map[string]struct {
		sure, silent bool
		mode         mode.Mode
		wait         time.Duration // 0: admitted
	}{
		"doctor_after_a_reset":                  {true, false, mode.Mode{}, 50 * time.Second},
		"doctor_after_silence":                  {true, true, mode.Mode{}, 110 * time.Second},
		"repair_after_what_may_have_been_a_ban": {false, true, mode.Repair(), 0},
		"repair_after_a_reset":                  {true, false, mode.Repair(), 50 * time.Second},
		"repair_after_silence":                  {true, true, mode.Repair(), 110 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
			a, address := dockerHost(t, "virtualbox", t.TempDir(), &now, tt.mode), Address{Addr: "127.0.0.1:50022", NAT: true}
			a.recordConnection(t.Context(), address)
			a.background.Wait()
			a.RecordCut(t.Context(), address, tt.sure, tt.silent)
			a.background.Wait()
			for _, step := range []struct{ after, wait time.Duration }{{10 * time.Second, tt.wait}, {2 * time.Minute, 0}} {
				now = now.Add(step.after)
				if wait := a.requiredWait(a.history(t.Context(), address), now); wait != step.wait {
					t.Errorf("after %s: wait %s, want %s", step.after, wait, step.wait)
				}
			}
		})
	}
}

func TestARollbackIsNeverHeldBack(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	a, address := dockerHost(t, "generic", t.TempDir(), &now, mode.Repair()), Address{Addr: "192.0.2.7:22"}
	_, _ = a.client.Get(t.Context(), func() (*sshhost.Client, error) { return nil, errors.New("refused, for that moment") })
	a.PrepareRollback(t.Context())
	if a.Tried() {
		t.Error("the failed login is remembered: the rollback never tries one")
	}
	for range 2 * perMinute {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, _, err := a.admit(ctx, address); err != nil {
			t.Error(err)
		}
		cancel()
		a.background.Wait()
	}
}

func TestStateDirectoryThatCannotBeWritten(t *testing.T) {
	now := time.Now()
	a := dockerHost(t, "generic", "/proc/nowhere", &now, mode.Mode{})
	for range 5 {
		if _, _, err := a.admit(t.Context(), Address{Addr: "192.0.2.7:22"}); err != nil {
			t.Error(err)
		}
	}
}
