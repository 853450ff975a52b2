package fakelaptop

import (
	"net/netip"
	"slices"
	"strings"
)

// route implements macOS's route -n get|add|delete.
func route(c *call) int {
	args := slices.DeleteFunc(slices.Clone(c.args), func(a string) bool { return a == "-n" || a == "-v" || a == "-nv" || a == "-q" || a == "-inet" })
	if len(args) < 2 {
		return c.fail(64, "usage: route [-dnqtv] command [[modifiers] args]")
	}
	verb, rest := args[0], args[1:]
	if verb == "get" {
		ip, err := netip.ParseAddr(rest[len(rest)-1])
		if err != nil {
			return c.fail(68, "route: bad address: %s", rest[len(rest)-1])
		}
		return routeGet(c, ip)
	}
	var dst, via, mask, gateway string
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case "-net", "-host":
		case "-interface":
			if i++; i < len(rest) {
				via = rest[i]
			}
		case "-netmask":
			if i++; i < len(rest) {
				mask = rest[i]
			}
		default:
			if dst == "" {
				dst = rest[i]
			} else {
				gateway = rest[i]
			}
		}
	}
	p, err := parseNet(dst, mask)
	if err != nil {
		return c.fail(68, "route: bad address: %s", dst)
	}
	if !c.mayChange() {
		return c.fail(77, "route: must be root to alter routing table")
	}
	code, text := 0, ""
	if err := Update(c.file, func(w *State) error {
		exists := slices.ContainsFunc(w.Routes, func(r Route) bool { return r.Dst == p && (via == "" || r.Link == via || verb == "add") })
		switch {
		case verb == "delete" && exists && w.dropRoute(p):
			text = "delete net " + dst
			if via != "" {
				text += ": gateway " + via
			}
		case verb == "delete":
			code, text = 1, "route: writing to routing socket: not in table\ndelete net "+dst+": not in table"
		case verb == "add" && exists:
			code, text = 1, "route: writing to routing socket: File exists\nadd net "+dst+": gateway "+via+gateway+": File exists"
		case verb == "add":
			gw, _ := netip.ParseAddr(gateway)
			w.Routes = append(w.Routes, Route{Dst: p, Link: via, Gateway: gw})
			text = "add net " + dst + ": gateway " + via + gateway
		default:
			code, text = 64, "usage: route [-dnqtv] command [[modifiers] args]"
		}
		return nil
	}); err != nil {
		return c.fail(70, "route: %v", err)
	}
	if code == 0 {
		c.printf("%s\n", text)
		return 0
	}
	return c.fail(code, "%s", text)
}

func routeGet(c *call, ip netip.Addr) int {
	r, ok := c.w.lookup(ip)
	if !ok {
		return c.fail(1, "route: writing to routing socket: not in table")
	}
	c.printf("   route to: %s\n", ip)
	flags := "UP,DONE,CLONING"
	if r.Dst.Bits() == 0 {
		c.printf("destination: default\n       mask: default\n")
		flags = "UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL"
	} else {
		c.printf("destination: %s\n       mask: %s\n", r.Dst.Addr(), dotted(r.Dst))
	}
	if r.Gateway.IsValid() {
		c.printf("    gateway: %s\n", r.Gateway)
	}
	if l := c.w.link(r.Link); l != nil && l.Kind == "tun" {
		flags = "UP,DONE,STATIC,PRCLONING"
	}
	c.printf("  interface: %s\n      flags: <%s>\n recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n", r.Link, flags)
	c.printf("       0         0         0         0         0         0      1500         0 \n")
	return 0
}

// netstat implements macOS's netstat -rn -f inet, with its short forms of networks.
func netstat(c *call) int {
	c.printf("Routing tables\n\nInternet:\n%-18s %-18s %-10s %9s %6s\n", "Destination", "Gateway", "Flags", "Netif", "Expire")
	for _, r := range c.w.Routes {
		dst, gw, flags := shortNet(r.Dst), "link#7", "UC"
		if l := c.w.link(r.Link); l != nil && l.Kind == "tun" {
			flags = "UCS"
		}
		if r.Gateway.IsValid() {
			gw, flags = r.Gateway.String(), "UGScg"
		}
		c.printf("%-18s %-18s %-10s %9s %6s\n", dst, gw, flags, r.Link, "")
	}
	return 0
}

// shortNet returns 192.168.99 for 192.168.99.0/24, as macOS prints it.
func shortNet(p netip.Prefix) string {
	if p.Bits() == 0 {
		return "default"
	}
	parts := strings.Split(p.Addr().String(), ".")
	if p.Bits()%8 != 0 {
		return p.String()
	}
	return strings.Join(parts[:p.Bits()/8], ".")
}

// ifconfig implements macOS's ifconfig -a.
func ifconfig(c *call) int {
	if !slices.Equal(c.args, []string{"-a"}) {
		return c.fail(1, "ifconfig: %s is not in this world", strings.Join(c.args, " "))
	}
	for i, l := range c.w.Links {
		flags, mtu := "8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST>", 1500
		switch {
		case l.Down:
			flags = "8862<BROADCAST,RUNNING,SIMPLEX,MULTICAST>"
		case l.Kind == "tun":
			flags, mtu = "80d1<UP,POINTOPOINT,RUNNING,NOARP,MULTICAST>", 1390
		case i == 0:
			flags, mtu = "8049<UP,LOOPBACK,RUNNING,MULTICAST>", 16384
		}
		c.printf("%s: flags=%s mtu %d\n", l.Name, flags, mtu)
		if l.Kind != "tun" && i > 0 {
			c.printf("\tether 0a:00:27:00:00:%02x \n", i)
		}
		for _, a := range l.Addrs {
			if l.Kind == "tun" {
				c.printf("\tinet %[1]s --> %[1]s netmask 0x%08[2]x \n", a.Addr(), ^(uint32(0xffffffff) >> a.Bits()))
				continue
			}
			c.printf("\tinet %s netmask 0x%08x broadcast 192.168.0.255\n", a.Addr(), ^(uint32(0xffffffff) >> a.Bits()))
		}
		c.printf("\tstatus: active\n")
	}
	return 0
}

// ip implements Linux's ip route add|replace|del.
func ip(c *call) int {
	if len(c.args) < 3 || c.args[0] != "route" {
		return c.fail(255, "ip: %s is not in this world", strings.Join(c.args, " "))
	}
	if !c.mayChange() {
		return c.fail(2, "RTNETLINK answers: Operation not permitted")
	}
	dev := ""
	if i := slices.Index(c.args, "dev"); i > 0 && i+1 < len(c.args) {
		dev = c.args[i+1]
	}
	code, text := 0, ""
	err := Update(c.file, func(w *State) error {
		p, err := netip.ParsePrefix(c.args[2])
		if err != nil {
			code, text = 1, "Error: any valid prefix is expected rather than \""+c.args[2]+"\"."
			return nil
		}
		switch c.args[1] {
		case "replace", "add":
			if slices.ContainsFunc(w.Routes, func(r Route) bool { return r.Dst == p && r.Stuck }) {
				return nil // the VPN client restores its route at once
			}
			w.dropRoute(p)
			w.Routes = append(w.Routes, Route{Dst: p, Link: dev})
		case "del":
			if !w.dropRoute(p) {
				code, text = 2, "RTNETLINK answers: No such process"
			}
		default:
			code, text = 255, "Command \""+c.args[1]+"\" is unknown, try \"ip route help\"."
		}
		return nil
	})
	if err != nil {
		return c.fail(70, "ip: %v", err)
	}
	if code != 0 {
		return c.fail(code, "%s", text)
	}
	return 0
}
