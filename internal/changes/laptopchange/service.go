package laptopchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/service"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// SwitchService turns the login service for published ports on or off.
type SwitchService struct {
	On   bool
	File string // of its definition
	Text string // what is in it, or was
	// Start and Stop are the commands that do so, once the file is there.
	Start, Stop [][]string
	Log         []string // the command that shows what it has printed
}

// PortsServiceName names the login service for a docker host's published ports.
func PortsServiceName(t *target.Target) string {
	name := "ports-" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("@:/[]", r) {
			return '-'
		}
		return r
	}, t.Ref.Arg())
	if t.Storage != "" || t.Getenv("MACHINE_STORAGE_PATH") != "" {
		// Stores may have machines of the same name.
		sum := sha256.Sum256([]byte(t.State()))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// PortsServiceInstalled reports whether the login service for a docker host's published ports
// was turned on. It looks for a file and asks nothing else.
func PortsServiceInstalled(ctx context.Context, t *target.Target) bool {
	d := service.Service{Name: PortsServiceName(t), Home: t.Getenv("HOME")}.For(t.Laptop.OS())
	_, err := t.Laptop.ReadFile(ctx, d.Path)
	return err == nil
}

// serviceTime is how long the service may take to start or to end.
const serviceTime = 10 * time.Second

func (c *SwitchService) verb(on, off string) string {
	if c.On {
		return on
	}
	return off
}

// About has KeepsAnswers, since nothing that is asked once is about the service.
func (c *SwitchService) About() engine.About {
	return engine.About{Kind: "switch-ports-service", KeepsAnswers: true, Doing: c.verb("starting", "stopping") + " the login service " + filepath.Base(c.File)}
}

func (c *SwitchService) String() string {
	return c.verb("start", "stop") + " the login service " + filepath.Base(c.File)
}

// Backup has nothing to read: the plan has the definition.
func (c *SwitchService) Backup(context.Context, *target.Target) error { return nil }

func (c *SwitchService) Apply(ctx context.Context, t *target.Target) error {
	if c.On {
		return c.start(ctx, t)
	}
	return c.stop(ctx, t)
}

// Revert leaves a definition that was edited since, and the service.
func (c *SwitchService) Revert(ctx context.Context, t *target.Target) ([]string, error) {
	now, err := t.Laptop.ReadFile(ctx, c.File)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return nil, err
	case c.On && gone, !c.On && !gone && string(now) == c.Text:
		return nil, nil
	case !gone && string(now) != c.Text:
		return []string{c.File + " was changed by another program since, and stays"}, nil
	case c.On:
		return nil, c.stop(ctx, t)
	}
	return nil, c.start(ctx, t)
}

func (c *SwitchService) start(ctx context.Context, t *target.Target) error {
	if err := t.Laptop.MkdirAll(ctx, filepath.Dir(c.File), 0o755); err != nil {
		return err
	}
	if err := t.Laptop.WriteFile(ctx, c.File, []byte(c.Text), 0o644); err != nil {
		return err
	}
	for _, argv := range c.Start {
		if _, err := t.Laptop.Run(ctx, host.Cmd{Argv: argv}); err != nil {
			return fmt.Errorf("starting the login service: %w", err)
		}
	}
	if !c.await(ctx, t, true) {
		return fmt.Errorf("the login service does not start: %s shows why", shell.Command(c.Log...))
	}
	return nil
}

func (c *SwitchService) stop(ctx context.Context, t *target.Target) error {
	for _, argv := range c.Stop {
		// One that does not run, or was never loaded, cannot be stopped.
		if _, err := t.Laptop.Run(ctx, host.Cmd{Argv: argv}); err != nil && c.runs(ctx, t) {
			return fmt.Errorf("stopping the login service: %w", err)
		}
	}
	if !c.await(ctx, t, false) {
		return errors.New("the login service does not end")
	}
	if err := t.Laptop.Remove(ctx, c.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (c *SwitchService) runs(ctx context.Context, t *target.Target) bool {
	s, running := follow.Current(ctx, t.Laptop, t.State())
	return running && s.Service
}

// await waits until the service runs, or does not, and reports whether that came about.
func (c *SwitchService) await(ctx context.Context, t *target.Target, want bool) bool {
	ctx, cancel := context.WithTimeout(ctx, serviceTime)
	defer cancel()
	for {
		if c.runs(ctx, t) == want {
			return true
		}
		if host.Sleep(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
}
