// Package fakelaptop replaces the user's computer: its interfaces and routing table, sudo, and the
// commands that report and change them. Their State is one file. Nothing here changes the computer
// that runs the test.
//
// NewLaptop returns a host.Laptop that reports the State's operating system and sends packets where
// the State's routes lead: to a virtual machine, or nowhere. Commands are the programs route,
// netstat, ifconfig, ip, scutil, sudo, lsof, ss, docker and more; the test binary acts as one of
// them if it is called by that name.
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

// What happens to packets that leave through an interface.
const (
	VirtualBox = "virtualbox" // they reach the guest that has the address
	Drop       = "drop"       // there is no answer
	Refuse     = "refuse"     // the connection is refused
)

// State is the laptop.
type State struct {
	OS     string  `json:"os"`
	Links  []Link  `json:"links"`
	Routes []Route `json:"routes"`
	// Sudo is what sudo does: "root" (the user is root and needs none), "cached" (no password
	// needed), "password" (one is needed, and there is no terminal to ask on).
	Sudo string `json:"sudo"`
	// Scutil is the dynamic store: each key, and what "show KEY" prints.
	Scutil map[string]string `json:"scutil,omitempty"`
	// Cisco is what /opt/cisco/…/vpn state prints; "" if it is not installed.
	Cisco string `json:"cisco,omitempty"`
	// DockerMachine is docker-machine's version; "" means 0.16.2.
	DockerMachine string `json:"docker_machine,omitempty"`
	// Boots is how often the laptop was rebooted.
	Boots int `json:"boots,omitempty"`
	// OwnPorts means that no other State uses this one's range of ports.
	OwnPorts bool `json:"own_ports,omitempty"`
	// Contexts are docker's contexts except the default: each name and its endpoint.
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
	// Stuck routes cannot be deleted or replaced, as if a VPN client restored them at once.
	Stuck bool `json:"stuck,omitempty"`
	// Dead routes are in the table, but packets are dropped (kubernetes/minikube#4302) until they
	// are deleted and added again.
	Dead bool `json:"dead,omitempty"`
}

// names returns the names of the interfaces on this operating system.
func (w *State) names() (lan, tunnel, adapter string) {
	if w.OS == host.Darwin {
		return "en0", "utun4", "vboxnet0"
	}
	return "eth0", "tun0", "vboxnet0"
}

// HostOnly returns docker-machine's network, with the laptop's address.
func HostOnly() netip.Prefix { return netip.MustParsePrefix("192.168.99.1/24") }

// New returns a laptop with a working host-only adapter.
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

// VPNOn connects a VPN that takes the host-only network, as AnyConnect does: it removes the
// adapter's own route, and packets vanish in the tunnel.
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

// VPNOff disconnects the VPN. The adapter's route does not return: packets take the default route
// (docker/machine#1500).
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

// lookup returns the route to an address: the one with the longest prefix.
func (w *State) lookup(ip netip.Addr) (Route, bool) {
	best, found := Route{}, false
	for _, r := range w.Routes {
		if r.Dst.Contains(ip) && (!found || r.Dst.Bits() > best.Dst.Bits()) {
			best, found = r, true
		}
	}
	return best, found
}

// Reaches reports whether packets to an address reach VirtualBox.
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

// SetAddress sets an adapter's address, as VBoxManage hostonlyif ipconfig and ifconfig do: the
// adapter comes up, and the kernel adds the route.
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

// File returns the state file that the environment names.
func File() (string, error) {
	if f := os.Getenv("FAKELAPTOP_FILE"); f != "" {
		return f, nil
	}
	return "", errors.New("FAKELAPTOP_FILE is not set: this program is part of a test world")
}

// Load reads a State.
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

// Save writes a State.
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

// Update changes a State under its lock.
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
