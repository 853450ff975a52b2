package hostrules

import (
	"fmt"
	"strings"
)

// Follower has systemd run a command whenever a file of the docker host has changed.
//
// A path unit does not see what changes while the unit that it starts is active
// (systemd.path(5) calls it triggered; read and run with systemd 252). So it starts a unit that
// is active for a moment only, and queues a restart of the one that does the work. After puts
// the work behind that moment: each change either starts the path unit again, or comes before
// the work. The restart must not end work that is under way: it sends a signal that does
// nothing, and waits.
type Follower struct {
	Name        string // of the units, without an ending
	Description string
	File        string
	Command     string   // "@DIR@" is the set's directory
	After       []string // units that the work comes after
}

// PathUnit, changedUnit and ServiceUnit are the names of the units: what watches the file,
// what it starts, and what does the work.
func (f Follower) PathUnit() string    { return f.Name + ".path" }
func (f Follower) changedUnit() string { return f.Name + "-changed.service" }

// ServiceUnit runs the command, also without a change when it is started.
func (f Follower) ServiceUnit() string { return f.Name + ".service" }

// Units are the texts of the units by their names. Without StartLimitIntervalSec=0 five
// changes in ten seconds end them.
func (f Follower) Units() map[string]string {
	const unit = "[Unit]\nDescription=%s\nStartLimitIntervalSec=0\n"
	const install = "[Install]\nWantedBy=docker.service\n"
	after := strings.Join(append(f.After, f.changedUnit()), " ")
	return map[string]string{
		f.PathUnit(): fmt.Sprintf(unit, f.Description+": watch") +
			"[Path]\nPathModified=" + f.File + "\nUnit=" + f.changedUnit() + "\n" + install,
		f.changedUnit(): fmt.Sprintf(unit, f.Description+": a change") +
			"[Service]\nType=oneshot\nExecStart=/bin/systemctl --no-block restart " + f.ServiceUnit() + "\n",
		f.ServiceUnit(): fmt.Sprintf(unit, f.Description) + "After=" + after + "\n" +
			"[Service]\nType=oneshot\nKillSignal=SIGCONT\nExecStart=" + f.Command + "\n" + install,
	}
}
