package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/guest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/standin"
)

// NAT is the name of the process that listens for all machines: VirtualBox's own,
// so that it is taken for VirtualBox.
const NAT = "VBoxNetNAT"

// nat carries connections to machines.
type nat struct {
	host *guest.Guest
	idle []net.Listener // of machines that are off
}

// MainNAT is the main function of NAT: args are the docker host's directory and how
// many machines there are. It prints their ports and ends when its standard input does.
func MainNAT(args []string) int {
	if err := serve(args); err != nil {
		fmt.Fprintln(os.Stderr, NAT+":", err)
		return 1
	}
	return 0
}

func serve(args []string) (err error) {
	if len(args) != 2 {
		return errors.New("usage: DIR MACHINES")
	}
	machines, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var n nat
	if n.host, err = guest.Open(args[0], exe); err != nil {
		return err
	}
	if err := n.host.Start(context.Background(), false); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.host.Stop(context.Background(), standin.PowerOff)) }()
	if err := embedded.Await("dockerd", func() bool { return guest.Serves(args[0]) }); err != nil {
		return err
	}
	ports := make([][2]int, machines)
	for i := range ports {
		for j, guestPort := range []int{22, 2376} {
			if ports[i][j], err = n.open(KindOf(i), guestPort); err != nil {
				return err
			}
		}
	}
	for _, ln := range n.idle {
		ln.Close() // only now, so that nobody else has got the same port
	}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// open opens a port of the laptop that leads to a port of a machine.
func (n *nat) open(kind Kind, guestPort int) (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if kind == Off || kind == Unreadable {
		n.idle = append(n.idle, ln)
		return port, nil
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go n.carry(conn, kind, guestPort)
		}
	}()
	return port, nil
}

// carry takes every connection, as VirtualBox does, whatever the machine does.
func (n *nat) carry(conn net.Conn, kind Kind, guestPort int) {
	defer conn.Close()
	if kind == Silent {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	inside, err := n.host.Dial(context.Background(), guestPort)
	if err != nil {
		return
	}
	defer inside.Close()
	go func() {
		defer inside.Close()
		_, _ = io.Copy(inside, conn)
	}()
	_, _ = io.Copy(conn, inside)
}
