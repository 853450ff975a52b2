package virtualbox

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

// Modules is the state of VirtualBox's kernel modules.
type Modules struct {
	Version vbox.Version
	// Steps are the commands that restart them, in this order and as root. If there are none,
	// NoRestart is why they cannot be restarted.
	Steps     [][]string
	NoRestart string
	// NotNeeded means that this VirtualBox does not need kernel modules.
	NotNeeded bool
	// Blocked means that they are installed, but macOS has not loaded them.
	Blocked bool
	// Users are the processes of VirtualBox, of all users, that may use them.
	Users []host.Process
}

// Modules returns the state of the kernel modules and the processes that use them. It changes
// nothing.
func (v *Manager) Modules(ctx context.Context) (Modules, error) {
	m := Modules{}
	var err error
	if m.Version, err = v.Version(ctx); err != nil {
		return m, err
	}
	switch v.laptop.OS() {
	case host.Darwin:
		m.NoRestart, m.Blocked = v.kernelExtensions(ctx, m.Version)
		if m.NoRestart == "" {
			m.Steps = [][]string{installation.StartupRestart()}
		}
		m.NotNeeded = m.NoRestart != "" && m.Version.AtLeast(7, 0, 0)
	case host.Linux:
		m.Steps = v.linuxRestart(ctx)
		if m.Steps == nil {
			m.NoRestart = "neither a service vboxdrv nor vboxconfig nor a module vboxdrv is installed: reinstall VirtualBox"
		}
	default:
		m.NoRestart = "the kernel drivers of " + v.laptop.OS() + " are not ours to restart"
	}
	all, err := v.laptop.Processes(ctx)
	if err != nil {
		return m, fmt.Errorf("looking for VirtualBox's processes: %w", err)
	}
	for _, p := range all {
		if p.Name == installation.Window || installation.HoldsModules(p.Name, m.Version) {
			m.Users = append(m.Users, p)
		}
	}
	return m, nil
}

// MayRestart returns an error if the modules cannot or must not be restarted. They may be restarted
// if nothing uses them; with stopVMs also if only VMs use them that can be saved, which it returns.
// running are the VMs that VirtualBox lists, again is the command that allows VMs to be saved.
func (m Modules) MayRestart(running []vbox.VMRef, stopVMs bool, again hint.Hint) (save []vbox.VMRef, err error) {
	switch {
	case m.NoRestart != "" && (m.NotNeeded || len(m.Users) == 0 && len(running) == 0):
		return nil, errors.New(m.NoRestart)
	case len(m.Users) == 0 && len(running) == 0:
		return nil, nil
	case !stopVMs && len(m.Users) == 0: // this user cannot see their processes
		var names []string
		for _, vm := range running {
			names = append(names, vm.Name)
		}
		return nil, &useraction.Required{Text: "VMs are running: " + strings.Join(names, ", "), Hint: again}
	case !stopVMs: // checked before NoRestart: where VMs run there are modules, even if none was found
		return nil, &useraction.Required{Text: "VirtualBox is running: " + describe(m.Users), Hint: again}
	case m.NoRestart != "":
		return nil, errors.New(m.NoRestart)
	}
	var others []host.Process
	for _, p := range m.Users {
		if p.Foreign || runsUnlisted(p, running) {
			others = append(others, p)
		}
	}
	if len(others) > 0 {
		return nil, &useraction.Required{Text: "VMs that are not yours to save are running: " + describe(others)}
	}
	return running, nil
}

// runsUnlisted reports whether a process runs a VM that this user's VirtualBox does not list, such
// as one with another VBOX_USER_HOME: VBoxManage cannot save it. If a process's arguments are not
// known (macOS), its VM counts as listed.
func runsUnlisted(p host.Process, running []vbox.VMRef) bool {
	words := strings.Fields(p.Args)
	i := slices.Index(words, "--startvm")
	if i < 0 || i+1 >= len(words) {
		return false
	}
	return !slices.ContainsFunc(running, func(r vbox.VMRef) bool { return r.UUID == words[i+1] || r.Name == words[i+1] })
}

// describe returns a list of processes for a message.
func describe(procs []host.Process) string {
	var out []string
	for _, p := range procs {
		text := fmt.Sprintf("%s (pid %d", p.Name, p.PID)
		if p.Foreign {
			text += ", of another user"
		}
		out = append(out, text+")")
	}
	return strings.Join(out, ", ")
}

// ModulesUnloaded reports whether kernel modules that VMs need are not loaded.
func (v *Manager) ModulesUnloaded(ctx context.Context) (bool, error) {
	found, err := v.askVersion(ctx)
	if err != nil || found.warned || v.laptop.OS() != host.Darwin {
		return found.warned, err
	}
	_, blocked := v.kernelExtensions(ctx, found.number)
	return blocked, nil
}

// kernelExtensions looks for the kernel modules on macOS. none is why there are none to restart, or
// "". blocked means that macOS has not loaded the installed ones.
func (v *Manager) kernelExtensions(ctx context.Context, number vbox.Version) (none string, blocked bool) {
	if v.exists(ctx, path.Join(installation.KextDir, installation.KextDriver)) && v.exists(ctx, installation.StartupScript) {
		return "", !v.exists(ctx, "/dev/"+installation.NetCtlDevice)
	}
	if number.AtLeast(7, 0, 0) {
		return "VirtualBox " + number.String() + " on macOS has no kernel extensions, so that there are none to restart", false
	}
	return installation.StartupScript + " is missing: reinstall VirtualBox", false
}

// linuxRestart returns the commands of the first way to restart the modules that this computer has;
// nil if it has none.
func (v *Manager) linuxRestart(ctx context.Context) [][]string {
	if _, err := v.laptop.LookPath("systemctl"); err == nil {
		if _, err := v.laptop.Run(ctx, host.Cmd{Argv: []string{"systemctl", "cat", "vboxdrv.service"}}); err == nil {
			return [][]string{installation.ServiceRestart()}
		}
	}
	if p, err := v.laptop.LookPath("vboxconfig", "/sbin/vboxconfig", "/usr/sbin/vboxconfig"); err == nil {
		return [][]string{{p}}
	}
	info, err := v.laptop.LookPath("modinfo", "/sbin/modinfo", "/usr/sbin/modinfo")
	if err != nil {
		return nil
	}
	if _, err := v.laptop.Run(ctx, host.Cmd{Argv: []string{info, "-F", "filename", "vboxdrv"}}); err != nil {
		return nil
	}
	p, err := v.laptop.LookPath("modprobe", "/sbin/modprobe", "/usr/sbin/modprobe")
	if err != nil {
		return nil
	}
	return installation.ModprobeRestart(p)
}
