package nsguest

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// EndSSHSessions ends the sshd of every connection; the listener continues.
func (v *VM) EndSSHSessions(ctx context.Context) error {
	listener, err := v.ReadFile("/run/sshd.pid")
	if err != nil {
		return err
	}
	// pidof fails if no sshd runs.
	pids, _ := v.Output(ctx, "/bin/busybox", "pidof", "sshd")
	sessions := strings.Fields(pids)
	sessions = slices.DeleteFunc(sessions, func(pid string) bool { return pid == strings.TrimSpace(string(listener)) })
	if len(sessions) == 0 {
		return nil
	}
	// kill fails for one that has ended by itself meanwhile.
	_, _ = v.Output(ctx, append([]string{"/bin/busybox", "kill", "-9"}, sessions...)...)
	return nil
}

// StartSSHD restarts the listener that KillSSHD has ended.
func (v *VM) StartSSHD(ctx context.Context) error {
	// Output would wait for the listener, which keeps stderr.
	if err := v.Enter(ctx, "/usr/sbin/sshd", "-E", "/var/log/sshd.log").Run(); err != nil {
		return err
	}
	return v.AwaitReady(ctx)
}

// CutSSH breaks every existing SSH connection, as a NAT engine does that has forgotten it; new
// connections work. Reset breaks a connection at the laptop's next packet, Drop is silence in both
// directions.
func (v *VM) CutSSH(ctx context.Context, how Verdict) error {
	out, err := v.Output(ctx, "ss", "-Htn", "state", "established", "sport = :22")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		_, port, err := net.SplitHostPort(fields[len(fields)-1])
		if err != nil {
			return err
		}
		if _, err := strconv.Atoi(port); err != nil {
			return err
		}
		errs = append(errs,
			v.filter(ctx, "-I INPUT -p tcp --dport 22 --sport "+port+" -j "+string(how)),
			v.filter(ctx, "-I OUTPUT -p tcp --sport 22 --dport "+port+" -j "+string(how)))
	}
	return errors.Join(errs...)
}

// MendSSH undoes CutSSH.
func (v *VM) MendSSH(ctx context.Context) error {
	return errors.Join(v.filter(ctx, "-F INPUT"), v.filter(ctx, "-F OUTPUT"))
}
