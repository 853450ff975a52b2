// Command ping is the floor for what diagnoses this computer's dockerd: hello, plus one _ping
// on its socket.
//
//	ping SOCKET
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"

	_ "github.com/docker-vpn-helper/docker-vpn-helper/internal/cli"
	_ "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ping SOCKET")
		os.Exit(2)
	}
	if err := ping(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "ping:", err)
		os.Exit(1)
	}
}

func ping(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("_ping answers %s", resp.Status)
	}
	return nil
}
