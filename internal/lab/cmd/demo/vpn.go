package main

import (
	"fmt"
	"os"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
)

// vpn is the program with which the demo's shell connects the VPN: vpn [on|off].
func vpn() int {
	file, err := fakelaptop.File()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vpn: error:", err)
		return 1
	}
	if len(os.Args) > 2 || len(os.Args) == 2 && os.Args[1] != "on" && os.Args[1] != "off" {
		fmt.Fprintln(os.Stderr, "usage: vpn [on|off]")
		return 2
	}
	if len(os.Args) == 2 {
		err = fakelaptop.Update(file, func(s *fakelaptop.State) error {
			setVPN(s, os.Args[1] == "on")
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, "vpn: error:", err)
			return 1
		}
	}
	state, err := fakelaptop.Load(file)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "vpn: error:", err)
		return 1
	case state.Cisco != "":
		fmt.Println("VPN connected. It has taken the route to 192.168.99.0/24.")
	default:
		fmt.Println("VPN disconnected.")
	}
	return 0
}

func setVPN(s *fakelaptop.State, on bool) {
	if on {
		s.VPNOn()
	} else {
		s.VPNOff()
	}
}
