package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Modules is what is known of VirtualBox's kernel modules.
type Modules struct {
	Version vbox.Version
	// Steps restart them, as root, in this order; none where None says why there
	// is nothing to restart.
	Steps [][]string
	None  string
	// Driverless says that this VirtualBox needs none: VMs run without.
	Driverless bool
	// Blocked says that macOS has not loaded them although they are installed.
	Blocked bool
	// Users are VirtualBox's processes that may have them open, of any user.
	Users []host.Process
}

// Modules looks at the kernel modules and at who uses them. Nothing is changed.
func (w *World) Modules(ctx context.Context) (Modules, error) {
	m := Modules{}
	var err error
	if m.Version, _, err = w.VBoxVersion(ctx); err != nil {
		return m, err
	}
	switch w.Laptop.OS() {
	case host.Darwin:
		m.None, m.Blocked = w.kexts(ctx, m.Version)
		if m.None == "" {
			m.Steps = [][]string{vbox.StartupRestart()}
		}
		m.Driverless = m.None != "" && m.Version.AtLeast(7, 0, 0)
	case host.Linux:
		m.Steps = w.linuxModules(ctx)
		if m.Steps == nil {
			m.None = "neither a service vboxdrv nor vboxconfig nor a module vboxdrv is installed: reinstall VirtualBox"
		}
	default:
		m.None = "the kernel drivers of " + w.Laptop.OS() + " are not ours to restart"
	}
	all, err := w.Laptop.Processes(ctx)
	if err != nil {
		return m, fmt.Errorf("looking for VirtualBox's processes: %w", err)
	}
	for _, p := range all {
		if p.Name == vbox.Window || vbox.HoldsModules(p.Name, m.Version) {
			m.Users = append(m.Users, p)
		}
	}
	return m, nil
}

// KextsBlocked says that macOS has not loaded kernel extensions that are installed.
func (w *World) KextsBlocked(ctx context.Context, v vbox.Version) bool {
	_, blocked := w.kexts(ctx, v)
	return blocked
}

func (w *World) kexts(ctx context.Context, v vbox.Version) (none string, blocked bool) {
	if w.has(ctx, path.Join(vbox.KextDir, vbox.KextDriver)) && w.has(ctx, vbox.StartupScript) {
		return "", !w.has(ctx, "/dev/"+vbox.NetCtlDevice)
	}
	if v.AtLeast(7, 0, 0) {
		return "VirtualBox " + v.String() + " on macOS has no kernel extensions, so that there are none to restart", false
	}
	return vbox.StartupScript + " is missing: reinstall VirtualBox", false
}

// linuxModules is the first way to restart them that this computer has.
func (w *World) linuxModules(ctx context.Context) [][]string {
	if _, err := w.Laptop.LookPath("systemctl"); err == nil {
		if _, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"systemctl", "cat", "vboxdrv.service"}}); err == nil {
			return [][]string{vbox.ServiceRestart()}
		}
	}
	if p, err := w.Laptop.LookPath("vboxconfig", "/sbin/vboxconfig", "/usr/sbin/vboxconfig"); err == nil {
		return [][]string{{p}}
	}
	info, err := w.Laptop.LookPath("modinfo", "/sbin/modinfo", "/usr/sbin/modinfo")
	if err != nil {
		return nil
	}
	if _, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{info, "-F", "filename", "vboxdrv"}}); err != nil {
		return nil
	}
	p, err := w.Laptop.LookPath("modprobe", "/sbin/modprobe", "/usr/sbin/modprobe")
	if err != nil {
		return nil
	}
	return vbox.ModprobeRestart(p)
}

// has says whether a file is there. What cannot be looked at is taken to be not.
func (w *World) has(ctx context.Context, file string) bool {
	entries, err := w.Laptop.ReadDir(ctx, path.Dir(file))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(file) })
}

// Free is nil if the modules may be restarted: there are some, and nobody uses
// them but, with stopVMs, VMs that can be saved. saved are those.
func (m Modules) Free(running []vbox.VMRef, stopVMs bool, again string) (saved []vbox.VMRef, err error) {
	switch {
	case m.None != "" && (m.Driverless || len(m.Users) == 0 && len(running) == 0):
		return nil, errors.New(m.None)
	case len(m.Users) == 0 && len(running) == 0:
		return nil, nil
	case !stopVMs && len(m.Users) == 0: // whose processes cannot be seen
		var names []string
		for _, vm := range running {
			names = append(names, vm.Name)
		}
		return nil, &useraction.Required{Text: "VMs are running: " + strings.Join(names, ", "), Hint: again}
	case !stopVMs: // where VMs run there are modules, also where none was found
		return nil, &useraction.Required{Text: "VirtualBox is running: " + pids(m.Users), Hint: again}
	case m.None != "":
		return nil, errors.New(m.None)
	}
	var others []host.Process
	for _, p := range m.Users {
		if p.Foreign || elsewhere(p, running) {
			others = append(others, p)
		}
	}
	if len(others) > 0 {
		return nil, &useraction.Required{Text: "VMs that are not yours to save are running: " + pids(others)}
	}
	return running, nil
}

// elsewhere says that a process runs a VM that VirtualBox does not list here.
// Where a process's arguments are not known (macOS) it is taken to be listed.
func elsewhere(p host.Process, running []vbox.VMRef) bool {
	words := strings.Fields(p.Args)
	i := slices.Index(words, "--startvm")
	if i < 0 || i+1 >= len(words) {
		return false
	}
	return !slices.ContainsFunc(running, func(r vbox.VMRef) bool { return r.UUID == words[i+1] || r.Name == words[i+1] })
}

func pids(procs []host.Process) string {
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

// HostOnlyIfs are the host-only adapters that VirtualBox has; none where it does
// not say, or has networks instead.
func (w *World) HostOnlyIfs(ctx context.Context) []vbox.HostOnlyIf {
	out, err := w.VBoxManage(ctx, vbox.ListHostOnlyIfs())
	if err != nil {
		return nil
	}
	ifs, err := vbox.ParseHostOnlyIfs(out.Stdout)
	if err != nil {
		return nil
	}
	return ifs
}

// HostOnlyNet is the name of the host-only network that has the machine's
// address; "" where VirtualBox has none, or no such networks at all.
func (w *World) HostOnlyNet(ctx context.Context) string {
	out, err := w.VBoxManage(ctx, vbox.ListHostOnlyNets())
	if err != nil {
		return ""
	}
	nets, err := vbox.ParseHostOnlyNets(out.Stdout)
	if err != nil {
		return ""
	}
	for _, n := range nets {
		if n.Has(w.HostOnly()) {
			return n.Name
		}
	}
	return ""
}

// RunningVMs are this user's VMs that have a process.
func (w *World) RunningVMs(ctx context.Context) ([]vbox.VMRef, error) {
	out, err := w.VBoxManage(ctx, vbox.ListRunning())
	if err != nil {
		return nil, fmt.Errorf("listing running VMs: %w", err)
	}
	return vbox.ParseVMs(out.Stdout)
}
