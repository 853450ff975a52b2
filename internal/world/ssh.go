package world

import (
	"context"
	"net"
	"path/filepath"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// sshPort is where sshd listens in the VM.
const sshPort = 22

// Door is one way to the docker host's sshd.
type Door struct {
	Addr string `json:"addr"`
	// NAT says that VirtualBox's NAT stands in between: it accepts a connection
	// whatever the guest does, so an accepted one proves nothing.
	NAT bool `json:"nat"`
}

// HasSSH says whether the driver has SSH at all: "none" has an address and nothing else.
func (w *World) HasSSH() bool { return w.Machine.Driver != "none" }

// Doors are the ways to sshd, the one that no VPN can take first. docker-machine
// chooses the forwarded port anew at each start (docker/machine b170508b,
// drivers/virtualbox/virtualbox.go, setPortForwarding), so the rule in
// VirtualBox is believed, and config.json only where there is no such rule.
func (w *World) Doors(ctx context.Context) []Door {
	if !w.HasSSH() {
		return nil
	}
	var doors []Door
	if w.Machine.VirtualBox() {
		port := w.Machine.SSHPort
		if vm, err := w.VM.Info(ctx); err == nil {
			if p := forwardedSSH(vm); p > 0 {
				port = p
			}
		}
		if port > 0 {
			doors = append(doors, Door{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), NAT: true})
		}
	}
	host := w.Machine.Host
	if ip := w.HostOnly(); ip.IsValid() {
		host = ip.String()
	}
	if host != "" {
		port := sshPort
		if !w.Machine.VirtualBox() && w.Machine.SSHPort > 0 {
			port = w.Machine.SSHPort
		}
		doors = append(doors, Door{Addr: net.JoinHostPort(host, strconv.Itoa(port))})
	}
	return doors
}

// forwardedSSH is the port on 127.0.0.1 that leads to sshd: of the rule that docker-machine
// makes, "ssh", rather than of somebody else's; 0 where there is none.
func forwardedSSH(vm vbox.VM) int {
	port := 0
	for _, f := range vm.Forwards {
		here := f.HostIP == "" || f.HostIP == "0.0.0.0" || Loopback(f.HostIP)
		if f.Proto == "tcp" && f.GuestPort == sshPort && here && (port == 0 || f.Name == "ssh") {
			port = f.HostPort
		}
	}
	return port
}

// SSH logs in, once a run: the connection, or why there is none, is remembered.
// A connection that was lost is dialled again, at most once.
func (w *World) SSH(ctx context.Context) (*sshhost.Client, error) {
	c, err := w.login(ctx)
	if err == nil && c.Lost() != nil && w.redialed.CompareAndSwap(false, true) {
		w.Tell("[%s] the SSH connection was lost (%v): logging in once more", w.Machine.Name, c.Lost())
		c.Close()
		w.ssh.Forget()
		return w.login(ctx)
	}
	return c, err
}

// SSHAsked says whether a login has been tried.
func (w *World) SSHAsked() bool {
	_, asked := w.ssh.Peek()
	return asked
}

// Redial drops the connection of a VM that was stopped meanwhile; the next use
// logs in anew.
func (w *World) Redial() {
	w.Close()
	w.ssh.Forget()
}

// CheckSSH finds out whether the connection, if there is one, still carries
// anything; a dead one is dropped, so that the next use logs in once more. For
// where a lost connection would cost a rollback its time.
func (w *World) CheckSSH(ctx context.Context) {
	w.unpaced.Store(true)
	c, _ := w.ssh.Peek()
	if c == nil {
		w.ssh.Forget() // one that failed a moment ago is worth another try, too
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ProbeTime)
	defer cancel()
	if _, err := c.Run(ctx, host.Cmd{Argv: []string{"true"}}); err != nil {
		w.Redial() // taking back is worth a login more, and at once
	}
}

// DockerHost is the docker host by SSH.
func (w *World) DockerHost(ctx context.Context) (host.Host, error) {
	c, err := w.SSH(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// WriteState writes a file of the state directory, which is made where needed.
func (w *World) WriteState(ctx context.Context, path string, data []byte) error {
	if err := w.Laptop.MkdirAll(ctx, filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return w.Laptop.WriteFile(ctx, path, data, 0o600)
}
