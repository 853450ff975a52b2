package scale

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// NAT is the name of the process that listens for all machines: VirtualBox's own,
// so that it is taken for VirtualBox.
const NAT = "VBoxNetNAT"

// nat carries connections to machines.
type nat struct {
	host *fakedockerhost.Guest
	sshd *sshd
	idle []net.Listener // of machines that are off
}

// MainNAT is the main function of NAT: args are the docker host's directory, the file
// of the key that opens it, and how many machines there are. It prints their ports and ends when its standard input does.
func MainNAT(args []string) int {
	if err := serve(args); err != nil {
		fmt.Fprintln(os.Stderr, NAT+":", err)
		return 1
	}
	return 0
}

func serve(args []string) (err error) {
	if len(args) != 3 {
		return errors.New("usage: DIR KEY MACHINES")
	}
	machines, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var n nat
	if n.host, err = fakedockerhost.Open(args[0], exe); err != nil {
		return err
	}
	if err := n.host.Start(context.Background(), false); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.host.Stop(context.Background(), fakevbox.PowerOff)) }()
	if err := embedded.Await("dockerd", func() bool { return fakedockerhost.Serves(args[0]) }); err != nil {
		return err
	}
	if n.sshd, err = n.login(args[1]); err != nil {
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
		ln.Close() // only now, so that no other listener gets the same port
	}
	if err := json.NewEncoder(os.Stdout).Encode(ports); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// login prepares an SSH server that lets in whoever has the key. The host's own key
// is the same one.
func (n *nat) login(keyFile string) (*sshd, error) {
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	d := &sshd{answers: map[string]*answer{}, config: &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(offered.Marshal(), key.PublicKey().Marshal()) {
				return nil, errors.New("another key")
			}
			return nil, nil
		},
	}}
	d.config.AddHostKey(key)
	d.real = func() (*ssh.Client, error) {
		conn, err := n.host.Dial(context.Background(), 22)
		if err != nil {
			return nil, err
		}
		c, channels, requests, err := ssh.NewClientConn(conn, "docker host", &ssh.ClientConfig{
			User: "docker", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // our own
		})
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(c, channels, requests), nil
	}
	return d, nil
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
	if guestPort == 22 {
		n.sshd.serve(conn)
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
