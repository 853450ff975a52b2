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

// SwitchService starts or stops the login service for published ports.
type SwitchService struct {
	On   bool
	File string // the path of its definition
	Text string // the text of its definition
	// Start and Stop are the commands that start and stop the service while its definition exists.
	Start, Stop [][]string
	Log         []string // the command that shows the service's output
}

// PortsServiceName returns the name of the login service for a docker host's published ports.
func PortsServiceName(t *target.Target) string {
	name := "ports-" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("@:/[]", r) {
			return '-'
		}
		return r
	}, t.Ref.Arg())
	if t.Storage != "" || t.Getenv("MACHINE_STORAGE_PATH") != "" {
		// Several stores may have machines of the same name.
		sum := sha256.Sum256([]byte(t.State()))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// PortsServiceInstalled reports whether the login service for a docker host's published ports is
// installed. It only looks for the definition.
func PortsServiceInstalled(ctx context.Context, t *target.Target) bool {
	d := service.Service{Name: PortsServiceName(t), Home: t.Getenv("HOME")}.For(t.Laptop.OS())
	_, err := t.Laptop.ReadFile(ctx, d.Path)
	return err == nil
}

// serviceTime is how long the service may take to start or to stop.
const serviceTime = 10 * time.Second

// verb returns on if the change starts the service, else off.
func (c *SwitchService) verb(on, off string) string {
	if c.On {
		return on
	}
	return off
}

// About sets KeepsAnswers, since no remembered answer is about the service.
func (c *SwitchService) About() engine.About {
	return engine.About{Kind: "switch-ports-service", KeepsAnswers: true, Doing: c.verb("starting", "stopping") + " the login service " + filepath.Base(c.File)}
}

func (c *SwitchService) String() string {
	return c.verb("start", "stop") + " the login service " + filepath.Base(c.File)
}

// Backup does nothing: the change has the whole definition.
func (c *SwitchService) Backup(context.Context, *target.Target) error { return nil }

func (c *SwitchService) Apply(ctx context.Context, t *target.Target) error {
	if c.On {
		return c.start(ctx, t)
	}
	return c.stop(ctx, t)
}

// Revert switches the service back. If the definition has been edited since, it leaves both as they
// are.
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
	if !c.awaitRunning(ctx, t, true) {
		return fmt.Errorf("the login service does not start: %s shows why", shell.Command(c.Log...))
	}
	return nil
}

func (c *SwitchService) stop(ctx context.Context, t *target.Target) error {
	for _, argv := range c.Stop {
		// Stopping fails if the service is not running or was never loaded. That is fine.
		if _, err := t.Laptop.Run(ctx, host.Cmd{Argv: argv}); err != nil && c.running(ctx, t) {
			return fmt.Errorf("stopping the login service: %w", err)
		}
	}
	if !c.awaitRunning(ctx, t, false) {
		return errors.New("the login service does not end")
	}
	if err := t.Laptop.Remove(ctx, c.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// running reports whether ports are followed by the login service.
func (c *SwitchService) running(ctx context.Context, t *target.Target) bool {
	s, found := follow.Current(ctx, t.Laptop, t.State())
	return found && s.Service
}

// awaitRunning waits until the service is running, or has stopped if want is false. It reports
// whether that happened within serviceTime.
func (c *SwitchService) awaitRunning(ctx context.Context, t *target.Target, want bool) bool {
	ctx, cancel := context.WithTimeout(ctx, serviceTime)
	defer cancel()
	for {
		if c.running(ctx, t) == want {
			return true
		}
		if host.Sleep(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
}
