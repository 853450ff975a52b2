// Command ends is what runs in a container at the far end of a relay: port 81 sends without end,
// 82 counts what comes and answers with the number, 83 sends back what comes, and 84 is a web server
// that ends every connection.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	failed := make(chan error)
	for addr, serve := range map[string]func(net.Conn) error{":81": send, ":82": count, ":83": echo, ":84": page} {
		go func() { failed <- listen(addr, serve) }()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	os.Exit(1)
}

func listen(addr string, serve func(net.Conn) error) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = serve(conn) // the client has left
		}()
	}
}

func send(conn net.Conn) error {
	for zeros := make([]byte, 64<<10); ; {
		if _, err := conn.Write(zeros); err != nil {
			return err
		}
	}
}

func count(conn net.Conn) error {
	n, err := io.Copy(io.Discard, conn)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(conn, n)
	return err
}

func page(conn net.Conn) error {
	if _, err := conn.Read(make([]byte, 4<<10)); err != nil {
		return err
	}
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")
	return err
}

func echo(conn net.Conn) error {
	buf := make([]byte, 4<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return err
		}
	}
}
