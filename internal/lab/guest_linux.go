package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// guestKind is the name by which VirtualBox's stand-in knows the lab's VMs.
const guestKind = "lab"

type guestParams struct {
	Dir string `json:"dir"`
}

// guest is a nsguest.VM in the hands of VBoxHeadless.
type guest struct {
	vm *nsguest.VM

	mu      sync.Mutex
	running *nsguest.Running // nil when off
	ended   chan struct{}
}

func newGuest(hardware fakevbox.VM, params json.RawMessage) (fakevbox.Guest, error) {
	var p guestParams
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	v, err := nsguest.Open(p.Dir)
	if err != nil {
		return nil, err
	}
	for _, nic := range hardware.NICs {
		switch nic.Attachment {
		case "nat":
			v.NATMAC = nic.MAC
		case "hostonly":
			v.HostOnlyMAC = nic.MAC
		}
	}
	return &guest{vm: v, ended: make(chan struct{})}, nil
}

// Start implements fakevbox.Guest.
func (g *guest) Start(ctx context.Context, resume bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	if resume && g.vm.Saved() {
		g.running, err = g.vm.Restore(ctx)
	} else {
		g.running, err = g.vm.PowerOn(ctx)
	}
	if err == nil {
		go g.watch(g.running)
	}
	return err
}

// watch powers the VM on again when it wants a reboot, and tells VBoxHeadless when
// it has switched itself off.
func (g *guest) watch(r *nsguest.Running) {
	<-r.Done()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != r {
		return // Stop was there first
	}
	ctx := context.Background()
	if r.WantsReboot() {
		if err := g.vm.PowerOff(ctx); err == nil {
			if g.running, err = g.vm.PowerOn(ctx); err == nil {
				go g.watch(g.running)
				return
			}
		}
	}
	g.running = nil
	_ = g.vm.PowerOff(ctx)
	close(g.ended)
}

// Ended is closed when the VM has switched itself off.
func (g *guest) Ended() <-chan struct{} { return g.ended }

// Stop implements fakevbox.Guest.
func (g *guest) Stop(ctx context.Context, how fakevbox.How) error {
	g.mu.Lock()
	r := g.running
	g.running = nil
	g.mu.Unlock()
	if r == nil {
		return nil
	}
	switch how {
	case fakevbox.Save:
		return r.Save(ctx)
	case fakevbox.Shutdown:
		return g.vm.ShutDown(ctx)
	default:
		return g.vm.PowerOff(ctx)
	}
}

// Pause and Resume are what `controlvm pause` and `resume` do.
func (g *guest) Pause(ctx context.Context) error  { return g.vm.Pause(ctx) }
func (g *guest) Resume(ctx context.Context) error { return g.vm.Resume(ctx) }

// Dial implements fakevbox.Guest.
func (g *guest) Dial(ctx context.Context, port int) (net.Conn, error) {
	return g.vm.DialNAT(ctx, port)
}

// vboxManage is the stand-in's VBoxManage, with the one command that changes the
// laptop itself made real: `hostonlyif ipconfig IF --ip A --netmask M` gives the
// adapter its address, and so its route, back.
func vboxManage(ctx context.Context, args []string) int {
	code := fakevbox.Manage(args, os.Stdin, os.Stdout, os.Stderr)
	if code != 0 || len(args) < 3 || args[0] != "hostonlyif" || args[1] != "ipconfig" {
		return code
	}
	if err := ipconfig(ctx, args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "VBoxManage: error: %v\n", err)
		return 1
	}
	return 0
}

func ipconfig(ctx context.Context, adapter string) error {
	home, err := fakevbox.Home()
	if err != nil {
		return err
	}
	w, err := fakevbox.Load(home)
	if err != nil {
		return err
	}
	for _, h := range w.HostOnlyIfs {
		if h.Name != adapter {
			continue
		}
		mask := net.ParseIP(h.Mask).To4()
		if mask == nil {
			return errors.New("no netmask " + h.Mask)
		}
		ones, _ := net.IPMask(mask).Size()
		cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(fmt.Sprintf("addr flush dev %[1]s\naddr add %[2]s/%[3]d dev %[1]s\nlink set %[1]s up\n", h.Name, h.IP, ones))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip: %w: %s", err, out)
		}
	}
	return nil
}
