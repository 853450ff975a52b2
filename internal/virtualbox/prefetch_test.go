package virtualbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// vboxes is a laptop with VMs, of which each second one runs.
type vboxes struct {
	host.Laptop
	vms  int
	hang string // what VBoxManage never answers

	busy, most atomic.Int32
	mu         sync.Mutex
	asked      []string
}

func (v *vboxes) OS() string                                 { return host.Linux }
func (v *vboxes) LookPath(string, ...string) (string, error) { return "/bin/VBoxManage", nil }

func (v *vboxes) Run(ctx context.Context, c host.Cmd) (host.Output, error) {
	n := v.busy.Add(1)
	defer v.busy.Add(-1)
	for most := v.most.Load(); n > most && !v.most.CompareAndSwap(most, n); most = v.most.Load() {
	}
	question := strings.Join(c.Argv[1:], " ")
	v.mu.Lock()
	v.asked = append(v.asked, question)
	v.mu.Unlock()
	if v.hang != "" && strings.HasPrefix(question, v.hang) {
		<-ctx.Done()
		return host.Output{}, fmt.Errorf("VBoxManage: %w", context.Cause(ctx))
	}
	var out strings.Builder
	switch c.Argv[1] {
	case "list":
		for i := range v.vms {
			if c.Argv[2] == "vms" || i%2 == 0 {
				fmt.Fprintf(&out, "\"m%d\" {%s}\n", i, uuid(i))
			}
		}
	case "showvminfo":
		fmt.Fprintf(&out, "name=\"m\"\nUUID=%q\nVMState=\"running\"\n", c.Argv[2])
	case "guestproperty":
		fmt.Fprintln(&out, "No value set!")
	default:
		fmt.Fprintln(&out, "6.1.50r161033")
	}
	return host.Output{Stdout: []byte(out.String())}, nil
}

func uuid(i int) string { return fmt.Sprintf("5f0c0000-0000-4000-8000-%012x", i) }

// machines are all VMs of one VirtualBox that is asked for all of them at once.
func (v *vboxes) machines(ctx context.Context, limit time.Duration) (*Manager, []*Machine) {
	manager := New(v, func() bool { return false })
	manager.Prefetch(ctx, limit)
	var all []*Machine
	for i := range v.vms {
		name := fmt.Sprintf("m%d", i)
		all = append(all, manager.Machine(store.Machine{Name: name, VMName: name, Driver: "virtualbox"}))
	}
	return manager, all
}

// atOnce calls f for all machines, side by side.
func atOnce(all []*Machine, f func(*Machine) error) []error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, m := range all {
		wg.Go(func() { errs[i] = f(m) })
	}
	wg.Wait()
	return errs
}

func TestManyMachinesShareVirtualBox(t *testing.T) {
	v := &vboxes{vms: 60}
	manager, all := v.machines(t.Context(), time.Minute)
	errs := atOnce(all, func(m *Machine) error {
		_, err := manager.Version(t.Context())
		m.GuestAddr(t.Context())
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if most := v.most.Load(); most > maxAtOnce {
		t.Errorf("%d VBoxManage at once, want at most %d", most, maxAtOnce)
	}
	count := func(prefix string) (n int) {
		for _, q := range v.asked {
			if strings.HasPrefix(q, prefix) {
				n++
			}
		}
		return n
	}
	got := map[string]int{"--version": count("--version"), "showvminfo": count("showvminfo"), "list": count("list")}
	if diff := cmp.Diff(map[string]int{"--version": 1, "showvminfo": 60, "list": 2}, got); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	// Nothing else is asked before it is known of all VMs that run what they are.
	last := 0
	for i, q := range v.asked {
		for n := 0; n < v.vms; n += 2 {
			if q == "showvminfo "+uuid(n)+" --machinereadable" {
				last = i
			}
		}
	}
	first := slices.IndexFunc(v.asked, func(q string) bool { return strings.HasPrefix(q, "--version") || strings.HasPrefix(q, "guestproperty") })
	if first < last {
		t.Errorf("question %d is %q, and the last VM that runs is asked for in question %d", first, v.asked[first], last)
	}
}

func TestVirtualBoxThatHangs(t *testing.T) {
	for name, tt := range map[string]struct {
		hang  string
		asked int // at most
		err   error
	}{
		"altogether":         {"list", 1, errUnresponsive},
		"whatever_vm_it_is":  {"showvminfo", 2 + maxAtOnce + maxAtOnce, errUnresponsive},
		"as_to_one_vm_alone": {"showvminfo " + uuid(4) + " ", 62, nil},
	} {
		// Whether VBoxManage's own time is up first, as where 5 s are given, or the caller's.
		for _, limit := range []time.Duration{50 * time.Millisecond, 5 * time.Second} {
			t.Run(fmt.Sprintf("%s/%s", name, limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := &vboxes{vms: 60, hang: tt.hang}
					_, all := v.machines(t.Context(), limit)
					errs := atOnce(all, func(m *Machine) error { _, err := m.Info(t.Context()); return err })
					if len(v.asked) > tt.asked {
						t.Errorf("%d questions, want at most %d", len(v.asked), tt.asked)
					}
					if err := errs[len(errs)-1]; !errors.Is(err, tt.err) || tt.err == nil && err != nil {
						t.Errorf("the last VM: %v, want %v", err, tt.err)
					}
				})
			})
		}
	}
}
