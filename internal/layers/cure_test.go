package layers

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

// A repair is offered only if it works: after the planned changes, the findings that advise it are
// gone, and nothing more is planned. The changes are made on the stand-in. Only the transcript
// knows whether the kernel loads its modules again, so a plan to restart them is carried out on the
// transcript itself.
func TestPlannedChangesCureTheirFindings(t *testing.T) {
	eachMachine(t, func(t *testing.T, m transcript) {
		s := newStandIn(t, m)
		l, store := m.laptop(t, s.computer)
		l.standIn = s
		before := diagnoseOn(t, m.target(t, l, store))
		planned := plans(before)
		if len(planned) == 0 {
			return
		}
		if slices.ContainsFunc(planned, func(c string) bool { return strings.Contains(c, "kernel modules") }) {
			l, store = m.laptop(t, hosttest.New(t, m.computer))
		}
		if err := repairOn(t, m.target(t, l, store)); err != nil {
			if _, failure, ok := strings.Cut(m.fix, "error: "); !ok || l.standIn != nil {
				t.Errorf("fix: %v", err)
			} else if !strings.Contains(failure, strings.SplitN(err.Error(), "\n", 2)[0]) {
				t.Errorf("fix: %v; the transcript has %s", err, failure)
			}
			return
		}
		after := diagnoseOn(t, m.target(t, l, store))
		if again := plans(after); len(again) > 0 {
			t.Errorf("planned again: %q", again)
		}
		for i, l := range before.Layers {
			for _, f := range l.Findings {
				if advised(f, before.Machine) && reports(after.Layers[i], f.Code) {
					t.Errorf("%s is there still: %s", f.Code, f.Title)
				}
			}
		}
	})
}

// advised reports whether a finding's hint is a repair.
func advised(f engine.Finding, machine string) bool {
	hint := f.Hint.String()
	return hint == "docker-vpn-helper fix "+machine || hint == "docker-vpn-helper modules restart"
}

func reports(l engine.LayerReport, code string) bool {
	return slices.ContainsFunc(l.Findings, func(f engine.Finding) bool { return f.Code == code })
}

func plans(r engine.Report) (all []string) {
	for _, l := range r.Layers {
		all = append(all, l.Changes...)
	}
	return all
}
