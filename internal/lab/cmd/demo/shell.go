package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fatih/color"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
)

// try is what the shell suggests at its start.
var try = []struct{ command, comment string }{
	{"docker ps", "the VPN keeps it from the VM"},
	{"docker-vpn-helper doctor default", "what is wrong?"},
	{`eval "$(docker-vpn-helper fix default)"`, "repair it"},
	{"docker ps", ""},
	{"vpn off", "vpn on connects it again"},
	{"docker-vpn-helper undo default", ""},
	{"docker-vpn-helper fix --dry-run old", "a repair that restarts dockerd"},
	{"docker-vpn-helper --help", ""},
	{"exit", "removes all of this"},
}

// shell opens a shell on the demo's laptop, with the VPN connected.
func (d *demo) shell() error {
	if err := errors.Join(d.usual(), d.old()); err != nil {
		return err
	}
	if err := d.lab.Laptop((*fakelaptop.State).VPNOn); err != nil {
		return err
	}
	say("This shell is on a simulated laptop. docker, docker-machine, VBoxManage, sudo and vpn are stand-ins here, and the home directory is a temporary one: nothing of yours is touched. "+
		"It has two machines, default and old, and its VPN is connected. Try:", "")
	suggest()
	say("Not simulated: packet filters (reach, allow, guard), a dockerd of the laptop itself (local), containers with published ports, docker context use, "+
		"and commands of docker-machine other than create and rm.", "")
	fmt.Println()
	cmd, err := d.interactive()
	if err != nil {
		return err
	}
	if d.ctx.Err() != nil {
		return errInterrupted
	}
	// Ctrl-C is for the shell. An interactive shell ignores SIGTERM, and ends by SIGHUP.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGHUP) })
	err = cmd.Wait()
	ended()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil && !errors.As(err, &exit): // the status is that of what was typed last
		return err
	}
	fmt.Println("The simulated laptop is gone.")
	return nil
}

// suggest lists what to try, with the comments beside the commands where they fit.
func suggest() {
	faint, wide := color.New(color.Faint), 0
	for _, t := range try {
		wide = max(wide, len(t.command))
	}
	for _, t := range try {
		beside := 2+wide+5+len(t.comment) <= columns()
		if t.comment != "" && !beside {
			faint.Println("  # " + t.comment)
		}
		fmt.Print("  ", color.CyanString(t.command))
		if t.comment != "" && beside {
			fmt.Print(strings.Repeat(" ", wide-len(t.command)), "   ", faint.Sprint("# "+t.comment))
		}
		fmt.Println()
	}
}

// interactive is the user's shell, if its startup files are known, with the demo's programs first in PATH.
func (d *demo) interactive() (*exec.Cmd, error) {
	const posix = `PATH="$DEMO_BIN:$PATH"; PS1='(demo) $ '` + "\n"
	tmp := filepath.Join(d.lab.Home, "tmp") // fish leaves a directory there
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	// Where fish finds this directory, it does not begin to fill it in the background.
	if err := os.MkdirAll(filepath.Join(d.lab.Home, ".local/share/fish/generated_completions"), 0o700); err != nil {
		return nil, err
	}
	files := map[string]string{
		".shrc": posix, ".bashrc": posix + `eval "$(docker-vpn-helper completion bash)"` + "\n",
		".zshrc": posix + `autoload -U compinit && compinit -D -u && eval "$(docker-vpn-helper completion zsh)"` + "\n",
		".config/fish/config.fish": "set -gx PATH $DEMO_BIN $PATH; set -g fish_greeting; function fish_prompt; echo '(demo) > '; end\n" +
			"docker-vpn-helper completion fish | source\n",
	}
	for name, text := range files {
		file := filepath.Join(d.lab.Home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	shell := cmp.Or(os.Getenv("SHELL"), "/bin/sh")
	if !slices.Contains([]string{"bash", "zsh", "fish"}, filepath.Base(shell)) {
		shell = "/bin/sh"
	}
	cmd := exec.Command(shell)
	certs := filepath.Join(d.lab.Store.Dir, "machines", "default")
	cmd.Env = append(slices.Clone(d.env), "DOCKER_TLS_VERIFY=1", "DOCKER_HOST=tcp://192.168.99.100:2376", "DOCKER_CERT_PATH="+certs, // as direct
		"SHELL="+shell, "TMPDIR="+tmp, // of two values the last one counts
		"DEMO_BIN="+d.lab.Bin, "ENV="+filepath.Join(d.lab.Home, ".shrc"))
	cmd.Dir = d.lab.Home
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.WaitDelay = time.Second
	return cmd, nil
}
