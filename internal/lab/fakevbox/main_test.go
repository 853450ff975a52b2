package fakevbox_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "VBoxHeadless" {
		os.Exit(fakevbox.Headless(os.Args[1:], map[string]fakevbox.Maker{"echo": newEcho}))
	}
	os.Exit(m.Run())
}

// echo is a guest that sends back, on port 7, what it gets.
type echo struct{ ln net.Listener }

func newEcho(fakevbox.VM, json.RawMessage) (fakevbox.Guest, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1024)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					_, _ = c.Write(buf[:n])
				}
			}()
		}
	}()
	return &echo{ln}, nil
}

func (e *echo) Start(context.Context, bool) error        { return nil }
func (e *echo) Stop(context.Context, fakevbox.How) error { return e.ln.Close() }
func (e *echo) Dial(ctx context.Context, port int) (net.Conn, error) {
	if port != 7 {
		return nil, syscall.ECONNREFUSED
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", e.ln.Addr().String())
}
