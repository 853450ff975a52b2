package hostrules

import (
	"fmt"
	"strings"
)

// Follower has systemd run a command whenever a file of the docker host has changed.
//
// A path unit does not see a change while the unit that it starts is active (seen with systemd
// 252). So it starts a unit that only queues a restart of the one that runs the command, and
// ends. The command runs after that: it sees every change from before, and the path unit sees
// every later one. A restart must not interrupt the command, so it sends a signal that does
// nothing, and waits.
type Follower struct {
	Name        string // of the units, without an ending
	Description string
	File        string
	Command     string   // "@DIR@" is the set's directory
	After       []string // units that the work comes after
}

// PathUnit watches the file.
func (f Follower) PathUnit() string { return f.Name + ".path" }

// changedUnit is what the path unit starts.
func (f Follower) changedUnit() string { return f.Name + "-changed.service" }

// ServiceUnit runs the command. Started by hand, it does so without a change.
func (f Follower) ServiceUnit() string { return f.Name + ".service" }

// Units are the texts of the units by their names. Without the limits of 0, five runs in ten
// seconds (systemd.unit(5)) or 200 changes in two (systemd.path(5), from 250 on) would end them.
func (f Follower) Units() map[string]string {
	const unit = "[Unit]\nDescription=%s\nStartLimitIntervalSec=0\n"
	const install = "[Install]\nWantedBy=docker.service\n"
	after := strings.Join(append(f.After, f.changedUnit()), " ")
	return map[string]string{
		f.PathUnit(): fmt.Sprintf(unit, f.Description+": watch") +
			"[Path]\nTriggerLimitIntervalSec=0\nPathModified=" + f.File + "\nUnit=" + f.changedUnit() + "\n" + install,
		f.changedUnit(): fmt.Sprintf(unit, f.Description+": a change") +
			"[Service]\nType=oneshot\nExecStart=/bin/systemctl --no-block restart " + f.ServiceUnit() + "\n",
		f.ServiceUnit(): fmt.Sprintf(unit, f.Description) + "After=" + after + "\n" +
			"[Service]\nType=oneshot\nKillSignal=SIGCONT\nExecStart=" + f.Command + "\n" + install,
	}
}
