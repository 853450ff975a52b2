// Package mode says what a run is for. That decides what it may ask and how long it waits.
package mode

import "time"

// repairPatience is how long a repair waits for a silent peer, beyond the time of a probe.
const repairPatience = 10 * time.Second

// Mode is what a run is for. It is immutable. The zero value is a diagnosis: it asks everything
// that is answered in time, and changes nothing.
type Mode struct {
	quick, repair bool
	patience      time.Duration
}

// Quick returns the mode for a machine that is probably healthy: it asks only what needs neither a
// login nor VBoxManage.
func Quick() Mode { return Mode{quick: true} }

// Repair returns the mode of all runs that change something, including undo and rollbacks: it asks
// only what it needs, and waits for slow peers.
func Repair() Mode { return RepairWaiting(repairPatience) }

// RepairWaiting returns the mode Repair with another patience.
func RepairWaiting(patience time.Duration) Mode { return Mode{repair: true, patience: patience} }

// IsQuick reports whether the run may only ask what needs neither a login nor VBoxManage.
func (m Mode) IsQuick() bool { return m.quick }

// IsRepair reports whether the run changes things.
func (m Mode) IsRepair() bool { return m.repair }

// Patience returns how long the run waits for a silent peer beyond the time of a probe; 0 except in
// a repair.
func (m Mode) Patience() time.Duration { return m.patience }
