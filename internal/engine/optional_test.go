package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func optional(layers []Layer) []Layer {
	layers[0].Optional = true
	return layers
}

// A gentle step that fails is undone, and the next stronger one is tried.
func TestOptionalLayerEscalatesWhereAChangeFails(t *testing.T) {
	on := map[string]bool{}
	strong := &toggle{Name: "strong", on: on}
	r, j, err := fixIn(t, t.Context(), optional(twoLayers(on, &toggle{Name: "gentle", on: on, fail: true, next: strong})), silent{})
	if diff := cmp.Diff([]string{"set strong"}, r.Applied); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if on["gentle"] || j.Entries[0].Mark != journal.Reverted || j.Entries[1].Mark != journal.Applied || j.End != journal.Done {
		t.Errorf("world %v, journal %+v, end %q", on, j.Entries, j.End)
	}
}

// Where nothing helps, the rest is repaired all the same, and the verdict decides.
func TestOptionalLayerDoesNotStopTheRepair(t *testing.T) {
	on := map[string]bool{"other": true} // what makes the verdict ok
	r, _, err := fixIn(t, t.Context(), optional(twoLayers(on, &toggle{Name: "a", on: on, idle: true})), silent{})
	if err != nil || r.Cause != "a.missing" || r.Status != Warn || r.RolledBack {
		t.Errorf("%v, %+v", err, r)
	}
	on = map[string]bool{}
	r, _, err = fixIn(t, t.Context(), optional(twoLayers(on, &toggle{Name: "a", on: on, idle: true})), silent{})
	var verdict *VerdictError
	if !errors.As(err, &verdict) || verdict.Finding.Code != "a.missing" || !r.RolledBack {
		t.Errorf("%v, %+v", err, r)
	}
	b := &toggle{Name: "b", on: on}
	layers := optional(twoLayers(on, &toggle{Name: "a", on: on, fail: true, idle: true}, b))
	if r, _, _ = fixIn(t, t.Context(), layers, silent{}); !cmp.Equal(r.Applied, []string{"set b"}) {
		t.Errorf("applied %q: the stronger alternative was not tried", r.Applied)
	}
}

func TestApplyTakesAllBackOnAFailure(t *testing.T) {
	on := map[string]bool{}
	s := session(t, job(t, laptop, on, silent{}))
	r, err := s.Apply(t.Context(), t.Context(), []Change{&toggle{Name: "a", on: on}, &toggle{Name: "b", on: on, fail: true}})
	if err == nil || !r.RolledBack || len(on) != 0 || newest(t, s).End != journal.RolledBack {
		t.Errorf("%v, rolled back %v, world %v, end %q", err, r.RolledBack, on, newest(t, s).End)
	}
	r, err = s.Apply(t.Context(), t.Context(), []Change{&toggle{Name: "a", on: on}})
	if err != nil || !on["a"] || newest(t, s).End != journal.Done || len(r.Applied) != 1 {
		t.Errorf("%v, world %v, end %q", err, on, newest(t, s).End)
	}
}

// restless is a change whose plan is another one each time, and that never helps.
type restless struct{ toggle }

func (c *restless) String() string { return "set " + c.Name }
func (c *restless) Apply(context.Context, *target.Target) error {
	c.Name += " and more" // it learns while it is applied
	return nil
}

func TestFixGivesUpOnAChangeThatIsPlannedAnewEachTime(t *testing.T) {
	n := 0
	l := Layer{Name: "forward", Inspect: func(context.Context, *target.Target) (State, error) {
		n++
		s := found("forward.port-taken", Fail)
		s.Planned = []Change{&restless{toggle{Name: fmt.Sprint(n), on: map[string]bool{}}}}
		return s, nil
	}}
	_, _, err := fixIn(t, t.Context(), []Layer{l}, silent{})
	if err == nil || !strings.Contains(err.Error(), "done, and still needed") || n > maxAttempts+1 {
		t.Errorf("%v after %d inspections", err, n)
	}
}
