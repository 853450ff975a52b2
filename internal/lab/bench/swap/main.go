// Command swap is the floor for a repair that reissues the certificate: one SSH
// login that writes the new certificate and restarts dockerd by its init script,
// and then one handshake and _ping after the other until dockerd answers.
//
//	swap SSH_KEY SSH_HOST:PORT SERVER_PEM REMOTE_PATH HANDSHAKE ARG…
//
// HANDSHAKE and its arguments are the command handshake: its exit status tells.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/crypto/ssh"
)

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "usage: swap SSH_KEY SSH_HOST:PORT SERVER_PEM REMOTE_PATH HANDSHAKE ARG…")
		os.Exit(2)
	}
	a := os.Args[1:]
	err := swap(a[0], a[1], a[2], a[3])
	for deadline := time.Now().Add(time.Minute); err == nil; {
		if exec.Command(a[4], a[5:]...).Run() == nil {
			return
		}
		if time.Now().After(deadline) {
			err = fmt.Errorf("dockerd does not answer a minute after its restart")
		}
	}
	fmt.Fprintln(os.Stderr, "swap:", err)
	os.Exit(1)
}

func swap(keyPath, addr, certPath, remote string) error {
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return err
	}
	cert, err := os.ReadFile(certPath)
	if err != nil {
		return err
	}
	client, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{
		User: "docker", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // a floor, in the lab
	})
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	session.Stdin = bytes.NewReader(cert)
	out, err := session.CombinedOutput("sudo sh -c 'cat >" + remote + ".new && sync " + remote + ".new && mv " + remote + ".new " + remote + " && /etc/init.d/docker restart'")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
