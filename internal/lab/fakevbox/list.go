package fakevbox

import (
	"fmt"
	"hash/fnv"
)

func (m *manager) list(args []string) error {
	what := ""
	for _, a := range args {
		if a != "-l" && a != "--long" && a != "-s" && a != "--sorted" {
			what = a
		}
	}
	if what == "runningvms" {
		if err := m.reap(""); err != nil {
			return err
		}
	}
	w, err := Load(m.home)
	if err != nil {
		return err
	}
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format, a...) }
	switch what {
	case "vms", "runningvms":
		for _, vm := range w.VMs {
			if what == "runningvms" && !vm.live() {
				continue
			}
			p("%q {%s}\n", raw(vm.Name), vm.UUID)
		}
	case "hostonlyifs":
		for i, h := range w.HostOnlyIfs {
			m.hostOnlyIfInfo(w, i, h)
		}
	case "hostonlynets":
		if !w.noAdapters() {
			return w.noList(what)
		}
		for _, n := range w.HostOnlyNets {
			p("Name:            %s\nGUID:            %s\n\nState:           Enabled\nNetworkMask:     %s\nLowerIP:         %s\nUpperIP:         %s\nVBoxNetworkName: hostonly-%s\n\n",
				n.Name, uuidOf(n.Name), n.Mask, n.Lower, n.Upper, n.Name)
		}
	case "dhcpservers":
		for _, d := range w.DHCP {
			enabled := "No"
			if d.Enabled {
				enabled = "Yes"
			}
			if w.version() < 60100 {
				p("NetworkName:    %s\nIP:             %s\nNetworkMask:    %s\nlowerIPAddress: %s\nupperIPAddress: %s\nEnabled:        %s\n\n",
					d.Network, d.IP, d.Mask, d.Lower, d.Upper, enabled)
				continue
			}
			p("NetworkName:    %s\nDhcpd IP:       %s\nLowerIPAddress: %s\nUpperIPAddress: %s\nNetworkMask:    %s\nEnabled:        %s\nGlobal Configuration:\n    minLeaseTime:     default\n    defaultLeaseTime: default\n    maxLeaseTime:     default\n    Forced options:   None\n    Suppressed opts.: None\n        1/legacy: %s\nGroups:               None\nIndividual Configs:   None\n\n",
				d.Network, d.IP, d.Lower, d.Upper, d.Mask, enabled, d.Mask)
		}
	case "hostinfo":
		p("Host Information:\n\nHost time: 2024-01-01T00:00:00.000000000Z\nProcessor online count: 4\nProcessor count: 4\nMemory size: 16384 MByte\nOperating system: %s\n", w.Platform)
	case "systemproperties":
		p("API version:                     %d_%d\nDefault machine folder:          %s/VirtualBox VMs\n", w.version()/10000, w.version()/100%100, m.home)
	case "bridgedifs", "natnets", "natnetworks", "extpacks", "ostypes", "usbhost", "hdds", "dvds":
	default:
		return w.noList(what)
	}
	return nil
}

func (w *VirtualBox) noList(what string) error {
	if w.version() >= 70000 {
		return usage("Unknown subcommand %q.", raw(what))
	}
	return usage("Invalid parameter '%s'", what)
}

// raw is a text that %q prints between quotation marks without escapes, as VirtualBox does.
type raw string

func (r raw) Format(s fmt.State, _ rune) { fmt.Fprint(s, `"`+string(r)+`"`) }

func (m *manager) hostOnlyIfInfo(w *VirtualBox, i int, h HostOnlyIf) {
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format, a...) }
	status := "Up"
	if h.Down {
		status = "Down"
	}
	p("Name:            %s\nGUID:            786f6276-656e-4%03d-8000-0a00270000%02x\nDHCP:            Disabled\nIPAddress:       %s\nNetworkMask:     %s\n", h.Name, 74+i, i, h.IP, h.Mask)
	p("IPV6Address:     \nIPV6NetworkMaskPrefixLength: 0\nHardwareAddress: 0a:00:27:00:00:%02x\nMediumType:      Ethernet\n", i)
	if w.version() >= 50200 {
		p("Wireless:        No\n")
	}
	p("Status:          %s\nVBoxNetworkName: HostInterfaceNetworking-%s\n\n", status, h.Name)
}

// uuidOf returns a UUID that depends only on the name.
func uuidOf(name string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(name))
	b := h.Sum(nil)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
