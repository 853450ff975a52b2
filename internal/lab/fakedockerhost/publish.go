package fakedockerhost

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Port is a published port of a container.
type Port struct {
	IP       string `json:"ip"` // "0.0.0.0" includes ::, as in docker
	Host     int    `json:"host"`
	Target   int    `json:"target"`
	Protocol string `json:"protocol"`
}

// ParsePort parses [IP:]HOST:TARGET[/PROTOCOL] as docker run -p does.
func ParsePort(spec string) (Port, error) {
	spec, protocol, _ := strings.Cut(spec, "/")
	if protocol == "" {
		protocol = "tcp"
	}
	p := Port{IP: "0.0.0.0", Protocol: protocol}
	parts := strings.Split(spec, ":")
	if len(parts) < 2 {
		return p, fmt.Errorf("%q is not [IP:]HOST:TARGET[/PROTOCOL]", spec)
	}
	n := len(parts)
	if n > 2 {
		p.IP = strings.Trim(strings.Join(parts[:n-2], ":"), "[]")
	}
	var err error
	if p.Host, err = strconv.Atoi(parts[n-2]); err == nil {
		p.Target, err = strconv.Atoi(parts[n-1])
	}
	return p, err
}

// bindings returns the ports as GET /containers/json lists them.
func (c Container) bindings() []map[string]any {
	all := []map[string]any{}
	if !c.Running {
		return all
	}
	for _, p := range c.Ports {
		ips := []string{p.IP}
		if p.IP == "0.0.0.0" {
			ips = append(ips, "::")
		}
		for _, ip := range ips {
			all = append(all, map[string]any{"IP": ip, "PrivatePort": p.Target, "PublicPort": p.Host, "Type": p.Protocol})
		}
	}
	return all
}

// lookEvery is how often the containers' file is checked, because other processes write it.
const lookEvery = 2 * time.Millisecond

// publisher serves the published ports of running containers, and notifies subscribers of GET
// /events.
type publisher struct {
	engine *engine

	mu          sync.Mutex
	seen        map[string]Container // by ID
	servers     map[Port]*http.Server
	subscribers map[chan event]bool
}

// event is one message of GET /events.
type event struct {
	Status string `json:"status"`
	ID     string `json:"id"`
	Type   string `json:"Type"`
	Action string `json:"Action"`
	Actor  struct {
		ID         string            `json:"ID"`
		Attributes map[string]string `json:"Attributes"`
	} `json:"Actor"`
	Time int64 `json:"time"`
}

func newPublisher(d *engine) *publisher {
	return &publisher{engine: d, seen: map[string]Container{}, servers: map[Port]*http.Server{}, subscribers: map[chan event]bool{}}
}

// run watches the containers until dockerd ends.
func (p *publisher) run() {
	var last os.FileInfo
	for ; ; time.Sleep(lookEvery) {
		now, err := os.Stat(p.engine.file)
		if err != nil || last != nil && os.SameFile(last, now) && last.ModTime().Equal(now.ModTime()) {
			continue
		}
		last = now
		p.update(p.engine.load())
	}
}

func (p *publisher) update(all []Container) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, wanted := map[string]Container{}, map[Port]string{}
	for _, c := range all {
		now[c.ID] = c
		if !c.Running {
			continue
		}
		for _, port := range c.Ports {
			if port.Protocol == "tcp" {
				wanted[port] = c.Name
			}
		}
	}
	for port, s := range p.servers {
		if wanted[port] == "" {
			_ = s.Close()
			delete(p.servers, port)
			os.Remove(filepath.Join(p.engine.dir, "net", strconv.Itoa(port.Host)))
		}
	}
	for port, name := range wanted {
		if p.servers[port] == nil {
			p.serve(port, name)
		}
	}
	showPorts(p.engine.dir)
	for id, c := range now {
		if was := p.seen[id]; c.Running && (!was.Running || !was.Started.Equal(c.Started)) {
			p.tell("start", c)
		}
	}
	for id, was := range p.seen {
		c, there := now[id]
		if was.Running && !c.Running {
			p.tell("die", was)
		}
		if !there {
			p.tell("destroy", was)
		}
	}
	p.seen = now
}

// serve is a container's program: an HTTP server that answers with the container's name.
func (p *publisher) serve(port Port, name string) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return
	}
	own := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	if os.WriteFile(filepath.Join(p.engine.dir, "net", strconv.Itoa(port.Host)), []byte(own), 0o600) != nil {
		ln.Close()
		return
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name)
	})}
	p.servers[port] = s
	go func() { _ = s.Serve(ln) }()
}

func (p *publisher) tell(action string, c Container) {
	e := event{Status: action, ID: c.ID, Type: "container", Action: action, Time: time.Now().Unix()}
	e.Actor.ID, e.Actor.Attributes = c.ID, map[string]string{"name": c.Name, "image": c.Image}
	for s := range p.subscribers {
		s <- e
	}
}

// events answers GET /events. It ignores filters, because all messages are about containers.
func (p *publisher) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flusher := w.(http.Flusher)
	flusher.Flush()
	messages := make(chan event, 1024)
	p.mu.Lock()
	p.subscribers[messages] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.subscribers, messages)
		p.mu.Unlock()
	}()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-messages:
			if json.NewEncoder(w).Encode(e) != nil {
				return
			}
			flusher.Flush()
		}
	}
}

// RemoveContainer removes a container, running or not, as docker rm -f does.
func RemoveContainer(dir, name string) error {
	d := &engine{file: filepath.Join(dir, "containers.json")}
	return d.save(slices.DeleteFunc(d.load(), func(c Container) bool { return c.Name == name }))
}
