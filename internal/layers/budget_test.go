package layers

import (
	"context"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// The missing rule is reported even if other VMs do not answer about their ports in time.
func TestRuleIsMissingWhileOtherVMsAreNotTold(t *testing.T) {
	tgt, _ := readMachine(t, "testdata/other_vms_hang.txtar").world(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for _, l := range engine.Diagnose(ctx, tgt, All(), agrees{}).Layers {
		if l.Layer == "forward" && (len(l.Findings) != 1 || l.Findings[0].Code != "forward.rule-missing") {
			t.Errorf("%s: %v", l.Status, l.Findings)
		}
	}
}
