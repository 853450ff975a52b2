package mode

import "testing"

func TestARepairThatDoesNotWaitIsARepair(t *testing.T) {
	for name, m := range map[string]struct {
		mode Mode
		want bool
	}{"repair": {Repair(), true}, "impatient": {RepairWaiting(0), true}, "quick": {Quick(), false}, "diagnosis": {Mode{}, false}} {
		if got := m.mode.IsRepair(); got != m.want {
			t.Errorf("%s: %v, want %v", name, got, m.want)
		}
	}
}
