package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// What a shell has set before a line; the story shows it only where it is typed.
const (
	direct  = `export DOCKER_TLS_VERIFY=1 DOCKER_HOST=tcp://192.168.99.100:2376 DOCKER_CERT_PATH=$HOME/.docker/machine/machines/default`
	fixed   = `eval "$(docker-vpn-helper env default)"`
	oldToo  = `eval "$(docker-vpn-helper env old)"`
	vpnOn   = "on"
	vpnOff  = "off"
	intro   = "This is a laptop with a docker-machine VM. All of it is simulated in a temporary directory: docker, VirtualBox, the VPN and sudo as well. Nothing of yours is touched."
	outro   = "All of that ran on 127.0.0.1 and leaves nothing behind. To type commands yourself, on the same laptop:"
	onYours = "On your own computer, where doctor changes nothing; without docker-machine it looks at the docker that you use now:"

	pausing = "Enter: go on   Ctrl-C: stop"
)

// A scene is a comment and the lines that are typed under it.
type scene struct {
	say   string
	vpn   string
	set   func(*demo) error // what the scene needs besides
	lines []line
}

// line is a command line, what the shell has set before, and its exit status.
type line struct {
	before, text string
	exit         int
}

// scenes are the story: the usual repair, then one that restarts dockerd.
var scenes = []scene{
	{say: "docker reaches the VM by its host-only address.",
		lines: []line{{direct, "docker ps", 0}}},
	{say: "The VPN connects and takes the route: docker no longer reaches the VM.", vpn: vpnOn,
		lines: []line{{direct, "docker ps", 1}}},
	{say: "What is wrong?",
		lines: []line{{direct, "docker-vpn-helper doctor default", 1}}},
	{say: "What would fix change?",
		lines: []line{{direct, "docker-vpn-helper fix --dry-run default", 1}}},
	{say: "Fix it. VirtualBox gets one NAT rule; nothing restarts.",
		lines: []line{{direct, `eval "$(docker-vpn-helper fix default)"`, 0}, {fixed, "docker ps", 0}}},
	{say: "Check again: docker works, with the VPN still connected.",
		lines: []line{{fixed, "docker-vpn-helper doctor default", 0}}},
	{say: "The VPN disconnects: docker still works.", vpn: vpnOff,
		lines: []line{{fixed, "docker ps", 0}}},
	{say: "Undo the repair.",
		lines: []line{{fixed, "docker-vpn-helper undo default", 0}}},
	{say: "The rare case: another machine, which docker-machine 0.4 made. Its certificate does not name localhost, so that a NAT rule alone is not enough. The VPN is connected again.",
		vpn: vpnOn, set: (*demo).old,
		lines: []line{{"", "docker-vpn-helper fix --dry-run old", 1}}},
	{say: "Fix it. The new certificate restarts dockerd, and dockerd restarts the container db. Without --yes, fix asks before that.",
		lines: []line{{"", `eval "$(docker-vpn-helper fix --yes old)"`, 0}, {oldToo, "docker ps", 0}}},
}

// story plays the scenes. Each line has to end as it should, so the demo is a test too.
func (d *demo) story() error {
	if err := d.usual(); err != nil {
		return err
	}
	command := color.New(color.FgCyan)
	say(intro, "")
	for i, s := range scenes {
		if i > 0 {
			if err := d.pause(); err != nil {
				return err
			}
		}
		if err := d.play(s); err != nil {
			return err
		}
	}
	fmt.Println()
	say(outro, "")
	command.Println("  make demo-shell")
	say(onYours, "")
	command.Println("  make && bin/docker-vpn-helper doctor")
	return nil
}

func (d *demo) play(s scene) error {
	if s.vpn != "" {
		if err := d.lab.Laptop(func(l *fakelaptop.State) { setVPN(l, s.vpn == vpnOn) }); err != nil {
			return err
		}
	}
	if s.set != nil {
		if err := s.set(d); err != nil {
			return err
		}
	}
	fmt.Println()
	say(s.say, "# ")
	for _, l := range s.lines {
		color.New(color.FgCyan).Println("$ " + l.text)
		if err := d.sh(l); err != nil {
			return err
		}
	}
	return nil
}

// columns is the width of the terminal.
func columns() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// say prints a text at the terminal's width; after a prefix, in faint.
func say(text, prefix string) {
	style := color.New(color.Reset)
	if prefix != "" {
		style = color.New(color.Faint)
	}
	for _, line := range ui.Wrap(text, columns()-len(prefix)) {
		style.Println(prefix + line)
	}
}

// pause waits for Enter where the demo runs on a terminal.
func (d *demo) pause() error {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return nil
	}
	fmt.Println()
	color.New(color.Faint).Print(pausing + " ")
	entered := make(chan struct{})
	go func() {
		defer close(entered)
		for key := make([]byte, 1); key[0] != '\n'; {
			if _, err := os.Stdin.Read(key); err != nil {
				return
			}
		}
	}()
	select {
	case <-d.ctx.Done():
		return errInterrupted
	case <-entered:
	}
	if !color.NoColor {
		fmt.Print("\x1b[A\x1b[2K\x1b[A") // what was shown meanwhile
	}
	return nil
}

// sh runs a line in a shell. Ctrl-C reaches it, and is waited for.
func (d *demo) sh(l line) error {
	if d.ctx.Err() != nil {
		return errInterrupted
	}
	cmd := exec.CommandContext(d.ctx, "/bin/sh", "-c", strings.TrimPrefix(l.before+"\n"+l.text, "\n"))
	cmd.Env, cmd.Dir = d.env, d.lab.Home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 60 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case d.ctx.Err() != nil:
		return errInterrupted
	case err != nil && !errors.As(err, &exit):
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != l.exit {
		return fmt.Errorf("that ended with exit status %d, not with %d", got, l.exit)
	}
	return nil
}
