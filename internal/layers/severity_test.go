package layers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// finding is a state with one finding.
type finding struct{ engine.Finding }

func (f finding) Findings() []engine.Finding { return []engine.Finding{f.Finding} }
func (finding) Changes() []engine.Change     { return nil }

// While docker works, every problem of every layer is only a warning.
func TestNothingFailsWhileDockerWorks(t *testing.T) {
	for _, code := range docs.Codes() {
		name, _, _ := strings.Cut(code, ".")
		if name == "daemon" || name == "context" {
			continue // the verdict itself; not a layer of doctor
		}
		r := engine.Diagnose(t.Context(), &target.Target{LoadErr: errors.New("not asked")}, withFindings(name, code), agrees{})
		if r.Status != engine.Warn || r.Verdict != engine.OK || r.Failed() {
			t.Errorf("%s: %s, docker %s", code, r.Status, r.Verdict)
		}
	}
}

// withFindings returns the layers of doctor: one fails with a code, docker works, and the others
// are fine.
func withFindings(layer, code string) []engine.Layer {
	all := All()
	for _, k := range []target.Kind{target.Local, target.SSH, target.TCP} {
		if !slices.ContainsFunc(all, func(l engine.Layer) bool { return l.Name == layer }) {
			all = Of(k)
		}
	}
	for i, l := range all {
		f := engine.Finding{Code: l.Name + ".ok", Status: engine.OK}
		if l.Name == layer {
			f = engine.Finding{Code: code, Status: engine.Fail}
		}
		all[i].Inspect = func(context.Context, *target.Target) (engine.State, error) { return finding{f}, nil }
	}
	return all
}
