package vmchange

import (
	"context"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

// lingering has a VBoxSVC that ends after it was seen so often.
type lingering struct {
	*hosttest.Computer
	seen, ends int
}

func (l *lingering) Processes(context.Context) ([]host.Process, error) {
	if l.seen++; l.seen > l.ends {
		return []host.Process{{PID: 5, Name: "VBoxSVC", Foreign: true}}, nil
	}
	return []host.Process{{PID: 4, Name: "VBoxSVC"}}, nil
}

// The next VBoxSVC makes the adapters anew; another user's is of no concern, and
// one that never ends is not waited for.
func TestModuleRestartWaitsForVirtualBoxsServerToEnd(t *testing.T) {
	tgt, c := on(t, "x\n-- computer --\nos darwin\n")
	l := &lingering{Computer: c, ends: 2}
	tgt.Laptop = l
	if err := (&RestartModules{}).awaitServer(t.Context(), tgt); err != nil || l.seen != 3 {
		t.Errorf("%v, looked %d times", err, l.seen)
	}
	l.ends = 1000
	now := time.Now()
	tgt.Now = func() time.Time { now = now.Add(serverTime / 2); return now }
	if err := (&RestartModules{}).awaitServer(t.Context(), tgt); err != nil {
		t.Error(err)
	}
}
