package hostrules

import (
	"fmt"
	"strings"
)

// Follower has systemd run a command whenever a file on the docker host changes.
//
// A path unit misses changes to its file while the unit that it starts is active (systemd.path(5); checked
// with systemd 252). The path unit therefore starts a second unit that only queues a restart of the service
// that runs the command, and is active for a moment. The service is ordered after that unit, so no change is
// lost: one that comes too early to trigger the path unit again comes before the command runs. The restart
// must not interrupt a running command; KillSignal=SIGCONT makes systemd wait for it instead.
type Follower struct {
	Name        string // of the units, without the suffix
	Description string
	File        string
	Command     string   // "@DIR@" stands for the set's directory
	After       []string // units that the service is ordered after
}

// PathUnit is the name of the unit that watches the file.
func (f Follower) PathUnit() string { return f.Name + ".path" }

// changedUnit is the name of the unit that the path unit starts.
func (f Follower) changedUnit() string { return f.Name + "-changed.service" }

// ServiceUnit is the name of the unit that runs the command. Starting it runs the command
// even if the file has not changed.
func (f Follower) ServiceUnit() string { return f.Name + ".service" }

// Units returns the text of each unit by its name. The limits of 0 turn off systemd's own, which
// disable a unit after five runs in ten seconds (systemd.unit(5)) or 200 changes in two
// (systemd.path(5), since version 250).
func (f Follower) Units() map[string]string {
	const unit = "[Unit]\nDescription=%s\nStartLimitIntervalSec=0\n"
	const install = "[Install]\nWantedBy=docker.service\n"
	after := strings.Join(append(f.After, f.changedUnit()), " ")
	return map[string]string{
		f.PathUnit(): fmt.Sprintf(unit, f.Description+": watch") +
			"[Path]\nTriggerLimitIntervalSec=0\nPathModified=" + strings.ReplaceAll(f.File, "%", "%%") + "\nUnit=" + f.changedUnit() + "\n" + install,
		f.changedUnit(): fmt.Sprintf(unit, f.Description+": a change") +
			"[Service]\nType=oneshot\nExecStart=/bin/systemctl --no-block restart " + f.ServiceUnit() + "\n",
		f.ServiceUnit(): fmt.Sprintf(unit, f.Description) + "After=" + after + "\n" +
			"[Service]\nType=oneshot\nKillSignal=SIGCONT\nExecStart=" + f.Command + "\n" + install,
	}
}
