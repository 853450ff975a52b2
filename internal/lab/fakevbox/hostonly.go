package fakevbox

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// options parses "--name value" pairs; -name is accepted as well.
func options(args []string) map[string]string {
	out := map[string]string{}
	args = splitOptions(args)
	for i := 0; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			out[name] = args[i+1]
			i++
		} else {
			out[name] = ""
		}
	}
	return out
}

// hostOnlyIf implements hostonlyif create | ipconfig NAME … | remove NAME.
func (m *manager) hostOnlyIf(args []string) error {
	if len(args) == 0 {
		return usage("No subcommand specified")
	}
	return Update(m.home, func(w *VirtualBox) error {
		if w.noAdapters() {
			return noCtl()
		}
		if args[0] == "create" {
			name := fmt.Sprintf("vboxnet%d", len(w.HostOnlyIfs))
			ip := fmt.Sprintf("192.168.%d.1", 56+len(w.HostOnlyIfs))
			w.HostOnlyIfs = append(w.HostOnlyIfs, HostOnlyIf{Name: name, IP: ip, Mask: "255.255.255.0", Down: true})
			fmt.Fprintln(m.stderr, "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%")
			fmt.Fprintf(m.stdout, "Interface '%s' was successfully created\n", name)
			return nil
		}
		if args[0] != "ipconfig" && args[0] != "remove" {
			return usage("Unknown sub-command '%s'", args[0])
		}
		if len(args) < 2 {
			return usage("Not enough parameters")
		}
		i := w.adapter(args[1])
		if i < 0 {
			return noAdapter(args[1], "242")
		}
		switch args[0] {
		case "ipconfig":
			o := options(args[2:])
			if _, dhcp := o["dhcp"]; dhcp {
				return nil
			}
			if o["ip"] != "" && !w.allowed(o["ip"]) {
				return netNotAllowed()
			}
			h := &w.HostOnlyIfs[i]
			h.IP, h.Down = o["ip"], false
			if h.Mask = o["netmask"]; h.Mask == "" {
				h.Mask = "255.255.255.0"
			}
		case "remove":
			w.HostOnlyIfs = slices.Delete(w.HostOnlyIfs, i, i+1)
			fmt.Fprintln(m.stderr, "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%")
		}
		return nil
	})
}

// adapter returns the index of a host-only adapter in the list; -1 if there is none.
func (w *VirtualBox) adapter(name string) int {
	return slices.IndexFunc(w.HostOnlyIfs, func(h HostOnlyIf) bool { return h.Name == name })
}

// allowed applies the default of 6.1.28 and later, without /etc/vbox/networks.conf.
func (w *VirtualBox) allowed(ip string) bool {
	if w.version() < 60128 {
		return true
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	return netip.MustParsePrefix("192.168.56.0/21").Contains(addr)
}

// hostOnlyNet implements hostonlynet add …, VirtualBox 7.
func (m *manager) hostOnlyNet(args []string) error {
	return Update(m.home, func(w *VirtualBox) error {
		if !w.noAdapters() {
			return usage("Invalid command 'hostonlynet'")
		}
		if len(args) == 0 {
			return usage("No subcommand specified")
		}
		o := options(args[1:])
		i := slices.IndexFunc(w.HostOnlyNets, func(n HostOnlyNet) bool { return n.Name == o["name"] })
		switch args[0] {
		case "add":
			w.HostOnlyNets = append(w.HostOnlyNets, HostOnlyNet{Name: o["name"], Mask: o["netmask"], Lower: o["lower-ip"], Upper: o["upper-ip"]})
		case "remove":
			if i < 0 {
				return comError("Host-only network '"+o["name"]+"' could not be found", notFound, "VirtualBoxWrap", "IVirtualBox", `"FindHostOnlyNetworkByName"`)
			}
			w.HostOnlyNets = slices.Delete(w.HostOnlyNets, i, i+1)
		default:
			return usage("Invalid parameter '%s'", args[0])
		}
		return nil
	})
}

// dhcpServer implements dhcpserver add | modify | remove --netname N ….
func (m *manager) dhcpServer(args []string) error {
	if len(args) == 0 {
		return usage("No subcommand specified")
	}
	o := options(args[1:])
	name := o["netname"]
	if name == "" {
		name = o["network"]
	}
	if ifname := o["ifname"] + o["interface"]; ifname != "" {
		name = "HostInterfaceNetworking-" + ifname
	}
	_, enabled := o["enable"]
	d := DHCPServer{Network: name, IP: o["ip"] + o["server-ip"], Mask: o["netmask"], Lower: o["lowerip"] + o["lower-ip"], Upper: o["upperip"] + o["upper-ip"], Enabled: enabled}
	return Update(m.home, func(w *VirtualBox) error {
		i := slices.IndexFunc(w.DHCP, func(d DHCPServer) bool { return d.Network == name })
		switch {
		case args[0] == "add" && i >= 0:
			return usage("DHCP server already exists")
		case args[0] == "add":
			w.DHCP = append(w.DHCP, d)
		case i < 0 && args[0] == "remove" && w.version() >= 60100:
			return fail("Failed to find DHCP server for network '" + name + "'")
		case i < 0:
			return usage("DHCP server does not exist")
		case args[0] == "modify":
			w.DHCP[i] = d
		case args[0] == "remove":
			w.DHCP = slices.Delete(w.DHCP, i, i+1)
		}
		return nil
	})
}
