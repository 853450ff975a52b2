// Package fakelaptop replaces the user's computer: its interfaces and routing
// table, sudo, and the commands that a program asks about them. Their state is
// one file. Nothing here touches the computer that runs the test.
//
// Laptop is a host.Laptop that reports the state's operating system, and
// that sends packets where the state's routes lead: into a virtual machine, or
// nowhere. Commands are the programs route, netstat, ifconfig, ip, scutil, sudo,
// lsof, ss and docker, which the test binary turns into when it is called by
// those names.
package fakelaptop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/gofrs/flock"
)

// What becomes of a packet that leaves by an interface.
const (
	VirtualBox = "virtualbox" // to the guest that has the address
	Drop       = "drop"       // nobody answers
	Refuse     = "refuse"     // somebody else says no
)

// State is the laptop.
type State struct {
	OS     string  `json:"os"`
	Links  []Link  `json:"links"`
	Routes []Route `json:"routes"`
	// Sudo is what sudo does: "root" (the user is root and needs none), "cached"
	// (no password needed), "password" (one is, and nobody can be asked).
	Sudo string `json:"sudo"`
	// Scutil is the dynamic store: key and what "show KEY" prints.
	Scutil map[string]string `json:"scutil,omitempty"`
	// Cisco is what /opt/cisco/…/vpn state prints; "" where it is not installed.
	Cisco string `json:"cisco,omitempty"`
	// DockerMachine is docker-machine's version; "" is 0.16.2.
	DockerMachine string `json:"docker_machine,omitempty"`
	// Boots is how often it was booted since it was made.
	Boots int `json:"boots,omitempty"`
	// OwnPorts reports that no other world chooses among this one's ports.
	OwnPorts bool `json:"own_ports,omitempty"`
	// Contexts are docker's, without its own: a name and its endpoint.
	Contexts map[string]string `json:"contexts,omitempty"`
}

// Link is a network interface.
type Link struct {
	Name  string         `json:"name"`
	Kind  string         `json:"kind,omitempty"`
	Down  bool           `json:"down,omitempty"`
	Addrs []netip.Prefix `json:"addrs,omitempty"`
	To    string         `json:"to"` // VirtualBox, Drop, Refuse
}

// Route is one line of the routing table.
type Route struct {
	Dst     netip.Prefix `json:"dst"`
	Link    string       `json:"link"`
	Gateway netip.Addr   `json:"gateway,omitzero"`
	// Stuck routes cannot be deleted or replaced, as a VPN client that puts its
	// route back at once.
	Stuck bool `json:"stuck,omitempty"`
	// Dead routes are in the table, and packets are dropped all the same
	// (kubernetes/minikube#4302), until they are deleted and added again.
	Dead bool `json:"dead,omitempty"`
}

// Names of interfaces, as the operating system has them.
func (w *State) names() (lan, tunnel, adapter string) {
	if w.OS == host.Darwin {
		return "en0", "utun4", "vboxnet0"
	}
	return "eth0", "tun0", "vboxnet0"
}

// HostOnly is docker-machine's network, with the laptop's address.
func HostOnly() netip.Prefix { return netip.MustParsePrefix("192.168.99.1/24") }

// New is a laptop with a host-only adapter that works.
func New(os string) *State {
	w := &State{OS: os, Sudo: "cached", Scutil: map[string]string{}}
	lan, _, adapter := w.names()
	loopback := map[string]string{host.Darwin: "lo0"}[os]
	if loopback == "" {
		loopback = "lo"
	}
	w.Links = []Link{
		{Name: loopback, Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}, To: Drop},
		{Name: lan, Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.1.20/24")}, To: Drop},
		{Name: adapter, Addrs: []netip.Prefix{HostOnly()}, To: VirtualBox},
	}
	w.Routes = []Route{
		{Dst: netip.MustParsePrefix("0.0.0.0/0"), Link: lan, Gateway: netip.MustParseAddr("192.168.1.1")},
		{Dst: netip.MustParsePrefix("192.168.1.0/24"), Link: lan},
		{Dst: HostOnly().Masked(), Link: adapter},
	}
	return w
}

// VPNOn lets a VPN client take the host-only network, as AnyConnect does: the
// adapter's own route goes, and packets end behind the tunnel.
func (w *State) VPNOn() {
	_, tunnel, _ := w.names()
	w.VPNOff()
	w.Links = append(w.Links, Link{Name: tunnel, Kind: "tun", Addrs: []netip.Prefix{netip.MustParsePrefix("10.11.12.13/32")}, To: Drop})
	w.dropRoute(HostOnly().Masked())
	w.Routes = append(w.Routes, Route{Dst: HostOnly().Masked(), Link: tunnel, Stuck: true})
	if w.OS == host.Darwin {
		w.Scutil["State:/Network/Service/com.cisco.anyconnect/DNS"] = "<dictionary> {\n  ServerAddresses : <array> {\n    0 : 10.0.0.53\n  }\n}\n"
		w.Cisco = "Cisco Secure Client\n\n  >> state: Connecting\n  >> state: Connected\n"
	}
}

// VPNOff disconnects. The adapter's route does not come back: packets follow
// the default route (docker/machine#1500).
func (w *State) VPNOff() {
	_, tunnel, _ := w.names()
	w.Links = slices.DeleteFunc(w.Links, func(l Link) bool { return l.Name == tunnel })
	w.Routes = slices.DeleteFunc(w.Routes, func(r Route) bool { return r.Link == tunnel })
	delete(w.Scutil, "State:/Network/Service/com.cisco.anyconnect/DNS")
	w.Cisco = ""
}

func (w *State) dropRoute(dst netip.Prefix) bool {
	n := len(w.Routes)
	w.Routes = slices.DeleteFunc(w.Routes, func(r Route) bool { return r.Dst == dst && !r.Stuck })
	return len(w.Routes) < n
}

// lookup finds the way to an address: the longest prefix wins.
func (w *State) lookup(ip netip.Addr) (Route, bool) {
	best, found := Route{}, false
	for _, r := range w.Routes {
		if r.Dst.Contains(ip) && (!found || r.Dst.Bits() > best.Dst.Bits()) {
			best, found = r, true
		}
	}
	return best, found
}

// Reaches reports whether packets to an address get to VirtualBox.
func (w *State) Reaches(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	r, ok := w.lookup(addr)
	link := w.link(r.Link)
	return ok && !r.Dead && link != nil && !link.Down && link.To == VirtualBox
}

func (w *State) link(name string) *Link {
	for i := range w.Links {
		if w.Links[i].Name == name {
			return &w.Links[i]
		}
	}
	return nil
}

// SetAddress gives an adapter its address, as VBoxManage hostonlyif ipconfig and
// ifconfig do: it is up, and the kernel adds the route.
func (w *State) SetAddress(name string, addr netip.Prefix) {
	l := w.link(name)
	if l == nil {
		w.Links = append(w.Links, Link{Name: name, To: VirtualBox})
		l = &w.Links[len(w.Links)-1]
	}
	l.Down, l.Addrs = false, []netip.Prefix{addr}
	for _, r := range w.Routes {
		if r.Dst == addr.Masked() && (r.Stuck || !r.Dead) {
			return
		}
	}
	w.dropRoute(addr.Masked())
	w.Routes = append(w.Routes, Route{Dst: addr.Masked(), Link: name})
}

// File is the world file that the environment names.
func File() (string, error) {
	if f := os.Getenv("FAKELAPTOP_FILE"); f != "" {
		return f, nil
	}
	return "", errors.New("FAKELAPTOP_FILE is not set: this program is part of a test world")
}

// Load reads a world.
func Load(file string) (*State, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	w := &State{Scutil: map[string]string{}}
	if err := json.Unmarshal(data, w); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return w, nil
}

// Save writes a world.
func (w *State) Save(file string) error {
	data, err := json.MarshalIndent(w, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Update changes a world under its lock.
func Update(file string, change func(*State) error) error {
	lock := flock.New(filepath.Join(filepath.Dir(file), "world.lock"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Close()
	w, err := Load(file)
	if err != nil {
		return err
	}
	if err := change(w); err != nil {
		return err
	}
	return w.Save(file)
}
