package laptopchange

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// SystemUnit installs, enables and starts a systemd unit on this computer. If Text is empty, it
// stops and removes the unit.
type SystemUnit struct {
	Name string `json:"name"`
	Text string `json:"text"`
	// Listen is the address and port on which the unit listens when it works.
	Listen string `json:"listen"`
	// Old is the former text of the unit file; None means that there was no file.
	Old  string `json:"old"`
	None bool   `json:"none"`
}

// unitDir is the directory of the administrator's units (systemd.unit(5)).
const unitDir = "/etc/systemd/system/"

func (c *SystemUnit) About() journal.About {
	if c.Text == "" {
		return journal.About{Kind: "system-unit", Doing: "stopping and removing " + c.Name}
	}
	return journal.About{Kind: "system-unit", Doing: "installing and starting " + c.Name}
}

func (c *SystemUnit) String() string {
	if c.Text == "" {
		return "stop and remove the systemd unit " + c.Name
	}
	return "install and start the systemd unit " + c.Name
}

func (c *SystemUnit) Backup(ctx context.Context, t *target.Target) error {
	text, err := t.Laptop.ReadFile(ctx, unitDir+c.Name)
	c.Old, c.None = string(text), errors.Is(err, fs.ErrNotExist)
	if c.None {
		err = nil
	}
	return err
}

func (c *SystemUnit) Apply(ctx context.Context, t *target.Target) error {
	if err := setUnit(ctx, t, c.Name, c.Text); err != nil || c.Text == "" {
		return err
	}
	return c.verify(ctx, t)
}

// startTime is how long a unit may take until it listens.
const startTime = 5 * time.Second

// steadyChecks is how many checks in a row must find the unit working: a unit that exits at once,
// because another program has the port, is also active for a moment.
const steadyChecks = 8

// verify waits until the unit listens and stays active. systemd itself only reports that it was
// started.
func (c *SystemUnit) verify(ctx context.Context, t *target.Target) error {
	seen := 0
	for end := time.Now().Add(startTime); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if seen++; !c.works(ctx, t) {
			seen = 0
		}
		if seen == steadyChecks {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	out, _ := t.Laptop.Run(ctx, host.Cmd{Root: true, Argv: []string{"journalctl", "--no-pager", "-o", "cat", "-n", "20", "-u", c.Name}})
	why := "see journalctl -u " + c.Name
	for line := range strings.Lines(string(out.Stdout)) {
		if _, text, ok := strings.Cut(strings.TrimSpace(line), "error: "); ok {
			why = text
		}
	}
	return fmt.Errorf("the service does not listen on %s after %s: %s", c.Listen, startTime, why)
}

// works reports whether the unit is active and something listens where it should.
func (c *SystemUnit) works(ctx context.Context, t *target.Target) bool {
	conn, err := t.Laptop.DialContext(ctx, "tcp", c.Listen)
	if err != nil {
		return false
	}
	_ = conn.Close()
	_, err = t.Laptop.Run(ctx, host.Cmd{Argv: []string{"systemctl", "is-active", "--quiet", c.Name}})
	return err == nil
}

// Revert restores the unit. It also restarts one that has its old text: Apply may have stopped it.
func (c *SystemUnit) Revert(ctx context.Context, t *target.Target) (left []string, err error) {
	now, err := t.Laptop.ReadFile(ctx, unitDir+c.Name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case string(now) != c.Text && string(now) != c.Old:
		return []string{unitDir + c.Name + " was changed by another program since, and stays"}, nil
	case c.None && string(now) == "":
		return nil, nil
	}
	return nil, setUnit(ctx, t, c.Name, c.Old)
}

// setUnit installs a unit with that text and starts it, or removes it if text is "".
func setUnit(ctx context.Context, t *target.Target, name, text string) error {
	path := unitDir + name
	systemctl := func(args ...string) host.Cmd {
		return host.Cmd{Root: true, Argv: append([]string{"systemctl"}, args...)}
	}
	steps := []host.Cmd{
		{Root: true, Argv: []string{"install", "-m", "0644", "/dev/stdin", path + ".new"}, Stdin: []byte(text)},
		{Root: true, Argv: []string{"mv", "-f", path + ".new", path}},
		systemctl("daemon-reload"), systemctl("reset-failed", name), systemctl("enable", name), systemctl("restart", name),
	}
	if text == "" {
		steps = []host.Cmd{systemctl("disable", "--now", name), {Root: true, Argv: []string{"rm", "-f", path}}, systemctl("daemon-reload")}
	}
	for _, step := range steps {
		if _, err := t.Laptop.Run(ctx, step); err != nil && !optional(step) {
			return err
		}
	}
	return nil
}

// optional reports whether a command may fail: a new unit has nothing to reset, and a unit that a
// killed run has already removed cannot be disabled.
func optional(step host.Cmd) bool { return step.Argv[1] == "reset-failed" || step.Argv[1] == "disable" }
