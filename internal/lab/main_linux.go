package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/vpn"
)

const usage = `Usage: scripts/lab COMMAND

  up [-systemd] [-ip-only] [NAME]   make a lab with one machine, "default", and start it
  status                            list the labs that are up
  shell NAME [COMMAND…]             a shell, or one command, on the laptop
  vpn NAME on|clean|off             connect the VPN; clean: it will give the route back
  ssh NAME MACHINE [COMMAND…]       root's shell on a docker host, not by the network
  down NAME… | -all                 remove labs and all that belongs to them
`

// Main is the lab command under any of its names; the result is the exit status.
func Main(ctx context.Context, name string, args []string) int {
	switch name {
	case "VBoxManage":
		return vboxManage(ctx, args)
	case "VBoxHeadless":
		return fakevbox.Headless(args, map[string]fakevbox.Maker{guestKind: newGuest})
	}
	if err := run(ctx, args, os.Stdout); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Exited() {
			return exit.ExitCode()
		}
		fmt.Fprintf(os.Stderr, "lab: error: %v\n", err)
		return 1
	}
	return 0
}

//lint:ignore ST1005 the usage is of several lines
var errUsage = errors.New("wrong usage\n" + usage)

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	command, args := args[0], args[1:]
	switch {
	case command == "boot" && len(args) == 1:
		return nsguest.Boot(args[0])
	case command == "guard" && len(args) == 2:
		return nsguest.Guard(context.WithoutCancel(ctx), args[0], args[1])
	case command == "reap" && len(args) == 1:
		return reap(ctx, args[0])
	case command == "vpn-script":
		return vpn.Hook(ctx, args, os.Getenv)
	case command == "status":
		return status(ctx, out)
	case command == "shell" && len(args) >= 1:
		return shell(ctx, args[0], args[1:])
	case command == "ssh" && len(args) >= 2:
		return enter(ctx, args[0], args[1], args[2:])
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	switch {
	case command == "up":
		return up(ctx, args, out)
	case command == "down" && len(args) >= 1:
		return down(ctx, args)
	case command == "vpn" && len(args) == 2:
		return toggleVPN(ctx, args[0], args[1])
	}
	return errUsage
}

func up(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	systemd := flags.Bool("systemd", false, "a docker host with systemd instead of boot2docker")
	ipOnly := flags.Bool("ip-only", false, "a server certificate that does not name localhost")
	if err := flags.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := Up(ctx, flags.Arg(0), self)
	if err != nil {
		return err
	}
	style, o := nsguest.Boot2docker, fakestore.Options{}
	if *systemd {
		style = nsguest.Systemd
	}
	if *ipOnly {
		o.Names = []string{"192.168.99.100"}
	}
	if err := l.populate(ctx, style, o); err != nil {
		return errors.Join(err, l.Down(context.WithoutCancel(ctx)))
	}
	fmt.Fprintf(out, "lab %[1]s is up\n  scripts/lab vpn %[1]s on\n  scripts/lab shell %[1]s docker-vpn-helper doctor\n  scripts/lab down %[1]s\n", l.Name)
	return nil
}

func (l *Lab) populate(ctx context.Context, style nsguest.Style, o fakestore.Options) error {
	store, err := l.NewStore(fakestore.StoreOptions{})
	if err != nil {
		return err
	}
	m, v, err := l.AddMachine(store, style, o)
	if err != nil {
		return err
	}
	if err := l.StartMachine(ctx, m.Name); err != nil {
		return err
	}
	return v.ImportBusybox(ctx)
}

func down(ctx context.Context, names []string) error {
	if names[0] == "-all" || names[0] == "--all" {
		var err error
		if names, err = Names(); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, (&Lab{Name: name}).Down(ctx))
	}
	return errors.Join(errs...)
}

func status(ctx context.Context, out io.Writer) error {
	names, err := Names()
	for _, name := range names {
		l, err := Open(name)
		if err != nil {
			fmt.Fprintf(out, "%s: remains of a lab; scripts/lab down %s\n", name, name)
			continue
		}
		w, err := fakevbox.Load(l.vbox())
		if err != nil {
			return err
		}
		var machines []string
		for _, m := range w.VMs {
			machines = append(machines, m.Name+" "+m.State)
		}
		link := "off"
		if l.VPN().Connected() {
			link = "on"
		}
		fmt.Fprintf(out, "%s: %s; VPN %s; 192.168.99.100 leaves by %s\n", name, strings.Join(machines, ", "), link, l.Route(ctx, "192.168.99.100"))
	}
	return err
}

func toggleVPN(ctx context.Context, name, what string) error {
	l, err := Open(name)
	if err != nil {
		return err
	}
	switch what {
	case "on", "clean":
		return l.VPN().Connect(ctx, what == "clean")
	case "off":
		return l.VPN().Disconnect(ctx)
	}
	return errUsage
}

func shell(ctx context.Context, name string, argv []string) error {
	l, err := Open(name)
	if err != nil {
		return err
	}
	if len(argv) == 0 {
		argv = []string{"bash", "--norc"}
	}
	cmd := l.Command(ctx, argv...)
	cmd.Env = append(cmd.Env, "PS1=laptop("+name+")# ", "TERM="+os.Getenv("TERM"))
	// What was built in the working directory is at hand.
	if wd, err := os.Getwd(); err == nil {
		for i, e := range cmd.Env {
			if path, ok := strings.CutPrefix(e, "PATH="); ok {
				cmd.Env[i] = "PATH=" + wd + "/bin:" + path
			}
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func enter(ctx context.Context, name, machine string, argv []string) error {
	v, err := (&Lab{Name: name}).VM(machine)
	if err != nil {
		return err
	}
	if v.PID() == 0 {
		return fmt.Errorf("machine %s is not running", machine)
	}
	if len(argv) == 0 {
		argv = []string{"bash"}
	}
	cmd := v.Enter(ctx, argv...)
	cmd.Env = append(cmd.Env, "TERM="+os.Getenv("TERM"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// reap waits for the end of its standard input, which is the end of the process
// that made the lab, however it came, and removes the lab.
func reap(ctx context.Context, name string) error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return (&Lab{Name: name}).Down(ctx)
}
