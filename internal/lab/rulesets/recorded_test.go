package rulesets

import (
	"strings"
	"testing"
)

// Each recording names the program and its version, and has a network and rules.
func TestRecordings(t *testing.T) {
	all, err := Recordings()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 9 {
		t.Errorf("%d recordings", len(all))
	}
	for _, r := range all {
		if !strings.Contains(r.Heading, "Recorded by scripts/rulesets") || !strings.ContainsAny(r.Heading, "0123456789") {
			t.Errorf("%s: heading %q", r.Name, r.Heading)
		}
		if n := r.Network; n.In == "" || n.Out == "" || len(n.Clients) == 0 || len(n.Server) == 0 || len(n.RouterIn) == 0 || len(n.RouterOut) == 0 {
			t.Errorf("%s: network %+v", r.Name, n)
		}
		if len(r.Saved) < 2 {
			t.Errorf("%s has no rules", r.Name)
		}
	}
}
