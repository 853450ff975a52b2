package explain

// routeEntries are what route(8) and ip(8) say when a route is put back by hand.
func routeEntries() []Entry {
	return []Entry{
		{
			ID:     "route.not-in-table",
			Means:  "there is no route to that network, neither yours nor a VPN's, so that there is nothing to delete.",
			Causes: []string{"the VPN took its route along when it disconnected, and yours was gone already"},
			Run:    []string{"docker-vpn-helper fix {machine}   # adds it", "sudo route -n add -net 192.168.99 -interface vboxnet0"},
			Code:   "route.missing",
			Source: "docker/machine#1500; route(8)",
			match:  []string{"route: writing to routing socket: not in table", "delete net…not in table", "ip route…rtnetlink answers: no such process", "route: writing to routing socket: no such process"},
		},
		{
			ID:     "route.file-exists",
			Means:  "there is a route to that network already, and it is not yours: a connected VPN put it there and puts it back.",
			Causes: []string{"AnyConnect and others keep a route over each local network while connected"},
			Run:    []string{`eval "$(docker-vpn-helper fix {machine})"   # goes around the route`, "after disconnecting: sudo route -n delete -net 192.168.99, then add it again"},
			Code:   "route.hijacked",
			Source: "docker/machine#2632; kubernetes/minikube#4302, #1099",
			match:  []string{"route: writing to routing socket: file exists", "add net…file exists", "ip route…rtnetlink answers: file exists", "vboxnet…rtnetlink answers: file exists"},
		},
		{
			ID:     "route.not-permitted",
			Means:  "routes are changed by root alone.",
			Causes: []string{"sudo is missing in front of the command"},
			Run:    []string{"docker-vpn-helper fix {machine}   # asks for sudo where it needs it", "sudo route -n add -net 192.168.99 -interface vboxnet0"},
			Source: "route(8); ip-route(8)",
			match:  []string{"route: must be root to alter routing table", "route: writing to routing socket: operation not permitted", "rtnetlink answers: operation not permitted"},
		},
		{
			ID:     "route.no-interface",
			Means:  "the interface, or the gateway, that the route is to lead to is not there.",
			Causes: []string{"the host-only adapter exists only while VirtualBox's modules are loaded, in VirtualBox 7 only while a VM runs", "its number is another one"},
			Run:    []string{"VBoxManage list hostonlyifs", "ifconfig -a | grep vboxnet", "docker-vpn-helper fix {machine}"},
			Code:   "route.interface-down",
			Source: "route(8); ip-route(8)",
			match:  []string{"route: bad interface name", "route: bad address: vboxnet", "cannot find device \"vboxnet", "ifconfig: interface vboxnet…does not exist", "vboxnet…rtnetlink answers: network is down", "siocadddrt: no such device", "route: writing to routing socket: network is unreachable"},
		},
	}
}
