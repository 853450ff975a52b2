// Package mode is what a run is for: that decides what it may ask and how long it
// waits.
package mode

import "time"

// repairPatience is how long a repair waits for a silent peer.
const repairPatience = 10 * time.Second

// Mode is what a run is for. It never changes; a run that goes on to something else gets
// another one. The zero value is a diagnosis: it asks everything that is answered in time,
// and changes nothing.
type Mode struct {
	quick, repair bool
	patience      time.Duration
}

// Quick asks only what costs neither a login nor VBoxManage: it is for a machine that is
// probably healthy.
func Quick() Mode { return Mode{quick: true} }

// Repair is for every run that changes something, undo and a rollback too: it asks only what
// it needs, and waits for peers that are slow.
func Repair() Mode { return RepairWaiting(repairPatience) }

// RepairWaiting is Repair with another time for peers that are slow.
func RepairWaiting(patience time.Duration) Mode { return Mode{repair: true, patience: patience} }

// IsQuick reports whether only what costs neither a login nor VBoxManage may be asked.
func (m Mode) IsQuick() bool { return m.quick }

// IsRepair reports whether the run is to change things.
func (m Mode) IsRepair() bool { return m.repair }

// Patience is how long the run waits for a silent peer beyond the time of a probe; 0
// except in a repair.
func (m Mode) Patience() time.Duration { return m.patience }
