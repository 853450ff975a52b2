package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Result is how a program on the laptop ended.
type Result struct {
	Stdout, Stderr string
	Exit           int
	Took           time.Duration
}

// Env is the environment of the laptop's user.
func (l *Lab) Env() []string {
	return []string{
		"HOME=" + l.Home(),
		"PATH=" + filepath.Join(l.Dir(), "bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", "SHELL=/bin/bash", "USER=root", "LOGNAME=root",
		"FAKEVBOX_HOME=" + l.vbox(),
		"DOCKER_BUILDKIT=0", // the classic builder needs no plugin
	}
}

// Command is a program that will run on the laptop, as one of the lab's
// processes. It must be started before the lab is closed.
func (l *Lab) Command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := l.Laptop().Command(ctx, argv...)
	cmd.Env = l.Env()
	cmd.Dir = l.Home()
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(l.group.Fd())}
	return cmd
}

// Run runs a program on the laptop. env is added to Env. An exit status other
// than 0 is no error; a program that cannot be run, or that a signal ends, is.
func (l *Lab) Run(ctx context.Context, env []string, argv ...string) (Result, error) {
	cmd := l.Command(ctx, argv...)
	cmd.Env = append(cmd.Env, env...)
	// A pipe that a program in the background has kept must not keep us.
	cmd.WaitDelay = 2 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(start)}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		r.Exit, err = exit.ExitCode(), nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, r.Stderr)
	}
	return r, err
}

// Route is the interface by which a packet to an address would leave the laptop,
// "" if there is no route.
func (l *Lab) Route(ctx context.Context, addr string) string {
	out, err := l.Laptop().Output(ctx, "ip", "-o", "route", "get", addr)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(out, " dev ")
	dev, _, _ := strings.Cut(rest, " ")
	return dev
}

// LoseRoute deletes the route to the host-only network, as a VPN client does that
// has taken it and gone.
func (l *Lab) LoseRoute(ctx context.Context) error {
	return l.Laptop().IP(ctx, "route del 192.168.99.0/24")
}

// StaleRoute keeps the route to the host-only adapter and makes the adapter deaf:
// packets leave, nothing answers (minikube#4302).
func (l *Lab) StaleRoute(ctx context.Context) error {
	return l.wires().IP(ctx, "link set laptop nomaster")
}

// VM is the docker host of a machine.
func (l *Lab) VM(machine string) (*nsguest.VM, error) {
	return nsguest.Open(filepath.Join(l.Dir(), "vms", machine))
}

func (l *Lab) vbox() string { return filepath.Join(l.Dir(), "vbox") }
