package fakevbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// vmProcess is VBoxHeadless: one running VM.
type vmProcess struct {
	home  string
	uuid  string
	guest Guest
	log   *slog.Logger
	gate  *gate
	nat   *nat
	once  sync.Once
	exit  chan int
}

// Headless is the main function of VBoxHeadless: --startvm UUID. It prints "ready" when the VM is
// powered on, and returns when the VM is off or saved. guests are the kinds of guest that the
// binary supports.
func Headless(args []string, guests map[string]Maker) int {
	p := &vmProcess{exit: make(chan int, 1), gate: newGate()}
	for i := range args {
		if args[i] == "--startvm" && i+1 < len(args) {
			p.uuid = args[i+1]
		}
	}
	out := os.Stdout
	if err := p.start(guests); err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	fmt.Fprintln(out, "ready")
	out.Close()
	return <-p.exit
}

func (p *vmProcess) start(guests map[string]Maker) error {
	var err error
	if p.home, err = Home(); err != nil {
		return err
	}
	w, err := Load(p.home)
	if err != nil {
		return err
	}
	vm := w.Find(p.uuid)
	if vm == nil {
		return fmt.Errorf("no VM %s", p.uuid)
	}
	p.uuid = vm.UUID
	p.openLog(vm)
	if p.guest, err = openGuest(*vm, guests); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(p.home, "run"), 0o700); err != nil {
		return err
	}
	ctl, err := listenUnix(ctlSocket(p.home, p.uuid))
	if err != nil {
		return err
	}
	net, err := listenUnix(netSocket(p.home, p.uuid))
	if err != nil {
		return err
	}
	p.nat = newNAT(p.guest, p.gate, p.log)
	p.nat.sync(vm)
	resume := vm.State == "restoring"
	if resume { // a restored VM runs with all that it ran before
		p.startGuest(resume)
	}
	if err := p.setState("running"); err != nil {
		return err
	}
	go p.serveControl(ctl)
	go serveHostOnly(net, p.guest, p.gate)
	go p.watch()
	if !resume {
		go p.startGuest(resume)
	}
	return nil
}

func (p *vmProcess) startGuest(resume bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := p.guest.Start(ctx, resume); err != nil {
		p.log.Error("starting the guest", "error", err)
	}
}

// openLog writes VBox.log beside the VM's settings, where docker-machine reads it.
func (p *vmProcess) openLog(vm *VM) {
	var w io.Writer = io.Discard
	dir := filepath.Join(filepath.Dir(vm.CfgFile), "Logs")
	if vm.CfgFile != "" && os.MkdirAll(dir, 0o755) == nil {
		if f, err := os.Create(filepath.Join(dir, "VBox.log")); err == nil {
			w = f
		}
	}
	p.log = slog.New(slog.NewTextHandler(w, nil))
	p.log.Info("VirtualBox stand-in, VM powered on", "vm", vm.Name)
}

func openGuest(vm VM, guests map[string]Maker) (Guest, error) {
	if vm.Guest.Kind == "" {
		return emptyGuest{}, nil
	}
	maker := guests[vm.Guest.Kind]
	if maker == nil {
		return nil, fmt.Errorf("unknown kind of guest %q", vm.Guest.Kind)
	}
	return maker(vm, vm.Guest.Params)
}

// emptyGuest is a VM without an operating system.
type emptyGuest struct{}

func (emptyGuest) Start(context.Context, bool) error { return nil }
func (emptyGuest) Stop(context.Context, How) error   { return nil }
func (emptyGuest) Dial(context.Context, int) (net.Conn, error) {
	return nil, syscall.ECONNREFUSED
}

func listenUnix(path string) (net.Listener, error) {
	os.Remove(path)
	return net.Listen("unix", path)
}

func (p *vmProcess) setState(state string) error {
	return Update(p.home, func(w *VirtualBox) error {
		vm := w.Find(p.uuid)
		if vm == nil {
			return fmt.Errorf("no VM %s", p.uuid)
		}
		vm.set(state)
		vm.PID = os.Getpid()
		if !vm.live() {
			vm.PID = 0
		}
		return nil
	})
}

// serveControl answers VBoxManage: each request is a word, each answer a line.
func (p *vmProcess) serveControl(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil {
				return
			}
			answer, end := p.control(strings.TrimSpace(line))
			fmt.Fprintln(conn, answer)
			if end {
				p.exit <- 0
			}
		}()
	}
}

func (p *vmProcess) control(word string) (answer string, end bool) {
	var err error
	switch word {
	case "ping":
	case "reload":
		var w *VirtualBox
		if w, err = Load(p.home); err == nil {
			p.nat.sync(w.Find(p.uuid))
		}
	case "pause":
		p.gate.close()
		if err = p.pause(true); err == nil {
			err = p.setState("paused")
		}
	case "resume":
		if err = p.pause(false); err == nil {
			err = p.setState("running")
		}
		p.gate.open()
	case "acpipowerbutton":
		go func() {
			p.down(Shutdown, "poweroff")
			p.exit <- 0
		}()
	case "reset":
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err = p.guest.Stop(ctx, PowerOff); err == nil {
			err = p.guest.Start(ctx, false)
		}
	case "poweroff":
		p.down(PowerOff, "poweroff")
		return "ok", true
	case "save":
		p.down(Save, "saved")
		return "ok", true
	default:
		return "unknown request " + strconv.Quote(word), false
	}
	if err != nil {
		return err.Error(), false
	}
	return "ok", false
}

// pauser is a guest that can be reached in other ways than Dial, and so must be told about pauses.
type pauser interface {
	Pause(context.Context) error
	Resume(context.Context) error
}

func (p *vmProcess) pause(on bool) error {
	g, ok := p.guest.(pauser)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if on {
		return g.Pause(ctx)
	}
	return g.Resume(ctx)
}

// ender is a guest that can switch itself off.
type ender interface{ Ended() <-chan struct{} }

// down stops the guest and the listeners, and sets the VM's state.
func (p *vmProcess) down(how How, state string) {
	p.once.Do(func() {
		p.nat.closeAll()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := p.guest.Stop(ctx, how); err != nil {
			p.log.Error("stopping the guest", "error", err)
		}
		if err := p.setState(state); err != nil {
			p.log.Error("saving the state", "error", err)
		}
		os.Remove(ctlSocket(p.home, p.uuid))
		os.Remove(netSocket(p.home, p.uuid))
	})
}

// watch ends the VM on a signal, when its files are gone, or when the process in FAKEVBOX_WATCH
// ends. In the last case it also removes the directory FAKEVBOX_LITTER, so that a killed test
// leaves nothing behind.
func (p *vmProcess) watch() {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	owner, _ := strconv.Atoi(os.Getenv("FAKEVBOX_WATCH"))
	litter := ""
	var ended <-chan struct{}
	if g, ok := p.guest.(ender); ok {
		ended = g.Ended()
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-sig:
		case <-ended:
		case <-tick.C:
			_, err := os.Stat(filepath.Join(p.home, "virtualbox.json"))
			if orphan := owner != 0 && syscall.Kill(owner, 0) == syscall.ESRCH; orphan {
				litter = os.Getenv("FAKEVBOX_LITTER")
			} else if err == nil {
				continue
			}
		}
		p.down(PowerOff, "poweroff")
		if litter != "" {
			os.RemoveAll(litter)
		}
		p.exit <- 0
		return
	}
}
