package fakedockerhost

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// The programs in the guest talk to the process that runs it over a socket:
// one JSON request, one JSON reply.

type request struct {
	Op   string   `json:"op"` // start, start-wait, stop, status
	Args []string `json:"args,omitempty"`
}

type reply struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	PID   int    `json:"pid,omitempty"`
}

func controlSocket(dir string) string { return filepath.Join(dir, "ctl") }

func listenControl(g *Guest) (net.Listener, error) {
	os.Remove(controlSocket(g.dir))
	ln, err := net.Listen("unix", controlSocket(g.dir))
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var req request
				if err := json.NewDecoder(conn).Decode(&req); err == nil {
					_ = json.NewEncoder(conn).Encode(g.serveControl(req))
				}
			}()
		}
	}()
	return ln, nil
}

func (g *Guest) serveControl(req request) reply {
	g.mu.Lock()
	d := g.daemon
	switch req.Op {
	case "start", "start-wait":
		if !g.up {
			g.mu.Unlock()
			return reply{Error: "the guest is going down"}
		}
		d, err := g.startDaemon(req.Args, false)
		g.mu.Unlock()
		if err != nil {
			return reply{Error: err.Error()}
		}
		if req.Op == "start-wait" && !g.ready(d) {
			return reply{Error: "dockerd ended while it was starting"}
		}
		return reply{OK: true, PID: d.cmd.Process.Pid}
	case "stop":
		g.mu.Unlock()
		if d != nil {
			d.stop()
		}
		return reply{OK: true}
	case "status":
		g.mu.Unlock()
		if d == nil {
			return reply{}
		}
		return reply{OK: true, PID: d.cmd.Process.Pid}
	}
	g.mu.Unlock()
	return reply{Error: fmt.Sprintf("unknown request %q", req.Op)}
}

// control sends one request to the running guest.
func control(dir string, req request) (reply, error) {
	conn, err := net.Dial("unix", controlSocket(dir))
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return reply{}, err
	}
	var r reply
	err = json.NewDecoder(conn).Decode(&r)
	return r, err
}

// DaemonPID returns the PID of dockerd in a running guest, or 0.
func DaemonPID(dir string) int {
	r, _ := control(dir, request{Op: "status"})
	return r.PID
}

// Serves reports whether dockerd of a running guest serves its ports.
func Serves(dir string) bool {
	pid := DaemonPID(dir)
	data, err := os.ReadFile(filepath.Join(dir, "run", "ready"))
	return pid != 0 && err == nil && string(data) == strconv.Itoa(pid)
}

// StopDaemon stops dockerd in a running guest. Nothing restarts it.
func StopDaemon(dir string) error {
	_, err := control(dir, request{Op: "stop"})
	return err
}
