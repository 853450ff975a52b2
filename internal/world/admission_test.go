package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/logins"
)

// farAway is a docker host in some network, whose machine is one of several there.
func farAway(t *testing.T, dir string, now *time.Time) *World {
	t.Helper()
	w := &World{Laptop: host.NewLocal(host.Sudo{}), StateDir: dir, Now: func() time.Time { return *now }, Tell: t.Logf}
	w.Machine.Name, w.Machine.Driver, w.Machine.StoreDir = "default", "generic", "/store"
	t.Cleanup(w.books.Wait)
	return w
}

// Issue 6: at most three connections a minute, one of which a diagnosis leaves to a repair.
func TestConnectionsAcrossRuns(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	dir, door := t.TempDir(), Door{Addr: "192.0.2.7:22"}
	admitted := func(sparing bool, patience time.Duration) bool {
		w := farAway(t, dir, &now)
		w.Sparing, w.Patience = sparing, patience
		said := ""
		w.Tell = func(format string, args ...any) { said = fmt.Sprintf(format, args...) }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		a, err := w.admit(ctx, door)
		w.books.Wait()
		if patience > 0 && err != nil && !strings.Contains(said, "waiting 5") {
			t.Errorf("waits without a word: %q", said)
		}
		var held *HeldBackError
		if patience == 0 && err != nil && !errors.As(err, &held) {
			t.Errorf("refused by %v", err)
		}
		now = now.Add(time.Second)
		return err == nil && !a.began.IsZero()
	}
	for i, step := range []struct {
		what     string
		sparing  bool
		patience time.Duration
		after    time.Duration
		want     bool
	}{
		{"fix", false, time.Second, 0, true},
		{"doctor", true, 0, 0, true},
		{"doctor again", true, 0, 0, false},
		{"undo", false, time.Second, 0, true},
		{"fix: it has to wait", false, time.Second, 0, false},
		{"fix --dry-run", false, 0, 0, false},
		{"doctor a minute later", true, 0, logins.Minute, true},
	} {
		now = now.Add(step.after)
		if got := admitted(step.sparing, step.patience); got != step.want {
			t.Errorf("step %d, %s: %v, want %v", i, step.what, got, step.want)
		}
	}
}

// On the way to a VM of this laptop nobody counts, until somebody has.
func TestAVMIsBelievedToCountOnceItHasCutUs(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	dir, door := t.TempDir(), Door{Addr: "127.0.0.1:50022", NAT: true}
	for i := range 6 {
		w := farAway(t, dir, &now)
		w.Machine.Driver = "virtualbox"
		if i == 5 {
			w.NoteCut(t.Context(), door, false, false)
			w.books.Wait()
		}
		_, err := w.admit(t.Context(), door)
		w.books.Wait()
		if (err != nil) != (i == 5) {
			t.Errorf("connection %d: %v", i, err)
		}
		var held *HeldBackError
		if errors.As(err, &held) && held.Cut == 0 {
			t.Errorf("not known to be cut off: %+v", held)
		}
		now = now.Add(time.Second)
	}
}

// A ban is waited out, not prolonged: by whoever repairs, and by all where one try is
// several packets because nobody answers.
func TestTriesDuringABan(t *testing.T) {
	for name, tt := range map[string]struct {
		sure, silent bool
		patience     time.Duration
		wait         time.Duration // 0: admitted
	}{
		"doctor_after_a_reset":                  {true, false, 0, 0},
		"doctor_after_silence":                  {true, true, 0, 110 * time.Second},
		"repair_after_what_may_have_been_a_ban": {false, true, time.Second, 0},
		"repair_after_a_reset":                  {true, false, time.Second, 50 * time.Second},
		"repair_after_a_silence":                {true, true, time.Second, 110 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
			w, door := farAway(t, t.TempDir(), &now), Door{Addr: "127.0.0.1:50022", NAT: true}
			w.Machine.Driver = "virtualbox"
			w.note(t.Context(), door)
			w.NoteCut(t.Context(), door, tt.sure, tt.silent)
			w.Patience = tt.patience
			for _, step := range []struct {
				after, wait time.Duration
			}{{10 * time.Second, tt.wait}, {2 * logins.Minute, 0}} {
				now = now.Add(step.after)
				w.books.Wait()
				_, held := w.tryAdmit(t.Context(), door)
				var wait time.Duration
				if held != nil {
					wait = held.Wait
				}
				if wait != step.wait {
					t.Errorf("after %s: wait %s, want %s", step.after, wait, step.wait)
				}
			}
		})
	}
}

func TestStateDirectoryThatCannotBeWritten(t *testing.T) {
	now := time.Now()
	w := farAway(t, "/proc/nowhere", &now)
	for range 5 {
		if _, err := w.admit(t.Context(), Door{Addr: "192.0.2.7:22"}); err != nil {
			t.Error(err)
		}
	}
}
