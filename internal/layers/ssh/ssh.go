// Package ssh is the rung that repairs go through: can the docker host be
// reached over SSH, and if not, what closes it.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// State is what was found.
type State struct {
	NotRunning bool           `json:"not_running"`
	NoSSH      bool           `json:"no_ssh"` // the driver has no SSH
	NotAsked   bool           `json:"not_asked"`
	Doors      []world.Door   `json:"doors,omitempty"`
	Err        *sshhost.Error `json:"-"`
	OtherErr   string         `json:"error,omitempty"`
	// DirectRefused says that the host-only address refused a connection to
	// port 22, which NAT never does: nobody listens in the VM.
	DirectRefused bool              `json:"direct_refused"`
	Facts         *dockerhost.Facts `json:"facts,omitempty"`
	FactsErr      string            `json:"facts_error,omitempty"`
	Weak          []string          `json:"weak_algorithms,omitempty"`

	Machine    string `json:"-"`
	AcceptHint string `json:"-"`
	DoctorHint string `json:"-"`
}

// Layer is the rung.
func Layer() stack.Layer {
	return stack.Layer{Name: "ssh", Needs: []string{"machine"}, Lenient: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *world.World) (stack.State, error) {
	s := State{Machine: w.Machine.Name, AcceptHint: w.Hint("fix", "--accept-host-key"), DoctorHint: w.Hint("doctor")}
	if running, err := w.Running(ctx); err != nil {
		return nil, err
	} else if !running {
		s.NotRunning = true
		return s, nil
	}
	if s.NoSSH = w.Machine.Driver == "none"; s.NoSSH {
		return s, nil
	}
	s.Doors = w.Doors(ctx)
	if s.NotAsked = w.Repairing() && !w.SSHAsked(); s.NotAsked {
		return s, nil
	}
	c, err := w.SSH(ctx)
	if errors.As(err, &s.Err) {
		if s.Err.Stage == sshhost.StageBanner && s.Err.Cause != sshhost.Timeout {
			s.DirectRefused = directRefused(ctx, w, s.Doors)
		}
		return s, nil
	}
	if err != nil {
		s.OtherErr = err.Error()
		return s, nil
	}
	s.Weak = c.Greeting().Weak
	if w.Repairing() {
		return s, nil // what a repair needs of the docker host, its rung has asked
	}
	facts, err := w.Facts(ctx)
	if err != nil {
		s.FactsErr = err.Error()
		return s, nil
	}
	s.Facts = &facts
	return s, nil
}

// directRefused opens a TCP connection to sshd at the host-only address and
// sends nothing: a refusal there is the guest's own.
func directRefused(ctx context.Context, w *world.World, doors []world.Door) bool {
	for _, d := range doors {
		if d.NAT {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, world.ProbeTime/2)
		defer cancel()
		conn, err := w.Laptop.DialContext(ctx, "tcp", d.Addr)
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	return false
}

// BlockedBy implements stack.SelfBlocked.
func (s State) BlockedBy() string {
	if s.NotRunning {
		return "machine"
	}
	return ""
}

// Findings implements stack.State.
func (s State) Findings() []stack.Finding {
	one := func(code string, status stack.Status, title, hint string) []stack.Finding {
		return []stack.Finding{{Code: code, Status: status, Title: title, Hint: hint}}
	}
	switch {
	case s.NotRunning:
		return nil
	case s.NoSSH:
		return one("ssh.ok", stack.OK, "the driver has no SSH", "")
	case s.NotAsked:
		return one("ssh.ok", stack.OK, "no login was needed", "")
	case s.OtherErr != "":
		return one("ssh.unknown", stack.Fail, s.OtherErr, "")
	case s.Err != nil:
		return []stack.Finding{s.failure()}
	case s.FactsErr != "":
		return one("ssh.unknown", stack.Unknown, "logged in, and could not ask: "+s.FactsErr, s.DoctorHint)
	case s.Facts != nil && !s.Facts.Root:
		return one("ssh.sudo-refused", stack.Fail, "logged in, and sudo is refused: "+s.Facts.SudoError,
			fmt.Sprintf("docker-machine ssh %s sudo -n true", s.Machine))
	case len(s.Weak) > 0:
		return one("ssh.weak-algorithms", stack.Warn, fmt.Sprintf("logged in, with outdated algorithms: %v", s.Weak), "")
	}
	return one("ssh.ok", stack.OK, "logged in once at "+s.reached(), "")
}

func (s State) reached() string {
	if len(s.Doors) == 0 {
		return "the docker host"
	}
	return s.Doors[0].Addr
}

// failure names the way in which a login failed. Through NAT a refused
// connection looks like one that was closed before the banner.
func (s State) failure() stack.Finding {
	e := s.Err
	f := stack.Finding{Status: stack.Fail, Title: e.Error(), Hint: s.DoctorHint}
	code := func(c, hint string) stack.Finding {
		f.Code, f.Hint = "ssh."+c, hint
		return f
	}
	restart := "VBoxManage controlvm " + s.Machine + " acpipowerbutton"
	switch e.Stage {
	case sshhost.StageKey:
		return code("auth-failed", "docker-machine inspect "+s.Machine)
	case sshhost.StageDial:
		if e.Cause == sshhost.Refused {
			return code("refused", restart)
		}
		return code("timeout", s.DoctorHint)
	case sshhost.StageBanner:
		switch {
		case e.Cause == sshhost.Timeout:
			return code("timeout", restart)
		case e.Cause == sshhost.NotSSH:
			return code("not-ssh", s.DoctorHint)
		case s.DirectRefused:
			host, _, err := net.SplitHostPort(s.direct())
			if err == nil {
				f.Title = fmt.Sprintf("%s refuses connections to port 22: sshd is not running in the VM", host)
			}
			return code("refused", restart)
		}
		return code("closed-before-banner", "docker-vpn-helper explain ssh.closed-before-banner")
	case sshhost.StageKeyExchange:
		if e.Cause == sshhost.NoCommonAlgorithm {
			return code("no-common-algorithm", "docker-vpn-helper explain ssh.no-common-algorithm")
		}
		return code("closed-in-key-exchange", "docker-vpn-helper explain ssh.closed-in-key-exchange")
	case sshhost.StageHostKey:
		return code("host-key-changed", s.AcceptHint)
	case sshhost.StageAuth:
		return code("auth-failed", "docker-machine ssh "+s.Machine)
	}
	return code("unknown", s.DoctorHint)
}

func (s State) direct() string {
	for _, d := range s.Doors {
		if !d.NAT {
			return d.Addr
		}
	}
	return ""
}

// Changes implements stack.State: what closes SSH is never ours to change.
func (State) Changes() []world.Change { return nil }
