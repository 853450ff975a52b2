package layers

import (
	"context"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// That no rule leads to dockerd is known, whatever other VMs have to say about their ports.
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
