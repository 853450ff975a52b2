package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearestCodes(t *testing.T) {
	all := []string{"route.ok", "route.hijacked", "route.missing", "tls.expired", "tls.expires-soon", "machine.missing"}
	for word, want := range map[string][]string{
		"route.hijackd": {"route.hijacked"},
		"hijacked":      {"route.hijacked"},
		"missing":       {"route.missing", "machine.missing"},
		"tls":           {"tls.expired", "tls.expires-soon"},
		"tls.expire":    {"tls.expired", "tls.expires-soon"},
		"kubernetes":    nil,
		"":              nil,
	} {
		if diff := cmp.Diff(want, nearest(word, all, 2)); diff != "" {
			t.Errorf("nearest(%q) (-want +got):\n%s", word, diff)
		}
	}
}

// FuzzEdits: a distance is symmetric, at most the longer word's length, and zero only for equal
// words.
func FuzzEdits(f *testing.F) {
	f.Add("route.hijacked", "route.hijackd")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 1000 {
			return
		}
		d := edits(a, b)
		if d != edits(b, a) || d > max(len(a), len(b)) || (d == 0) != (a == b) {
			t.Errorf("edits(%q, %q) = %d, the other way round %d", a, b, d, edits(b, a))
		}
	})
}
