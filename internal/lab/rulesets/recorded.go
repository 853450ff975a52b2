package rulesets

import (
	"embed"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/tools/txtar"
)

//go:embed testdata/*.txtar
var recordings embed.FS

// Recording is what a real program wrote into the packet filters; see scripts/rulesets.
type Recording struct {
	Name    string // "ufw"
	Heading string // the program and its version
	Network Network
	// Saved are the rulesets as their tools print them: "iptables-nft", "nft", "ipset" …
	Saved map[string]string
}

// Network is what the rules of a recording are about: a router between clients and servers.
type Network struct {
	In, Out         string // the router's interfaces to the clients and to the servers
	RouterIn        []netip.Prefix
	RouterOut       []netip.Prefix
	Clients, Server []netip.Addr
	VIPs            []netip.Addr // addresses behind which the rules put a server
}

// Recordings are all of them.
func Recordings() ([]Recording, error) {
	files, err := recordings.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var all []Recording
	for _, f := range files {
		text, err := recordings.ReadFile("testdata/" + f.Name())
		if err != nil {
			return nil, err
		}
		archive := txtar.Parse(text)
		r := Recording{Name: strings.TrimSuffix(f.Name(), ".txtar"), Heading: string(archive.Comment), Saved: map[string]string{}}
		for _, part := range archive.Files {
			r.Saved[part.Name] = string(part.Data)
		}
		if r.Network, err = parseNetwork(r.Saved["network"]); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		all = append(all, r)
	}
	return all, nil
}

// parseNetwork reads lines "client 10.1.1.2". The router's addresses belong to the interface
// before them.
func parseNetwork(text string) (n Network, err error) {
	for line := range strings.Lines(text) {
		kind, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var a netip.Addr
		var p netip.Prefix
		switch kind {
		case "in":
			n.In = value
		case "out":
			n.Out = value
		case "router":
			p, err = netip.ParsePrefix(value)
			if n.Out == "" {
				n.RouterIn = append(n.RouterIn, p)
			} else {
				n.RouterOut = append(n.RouterOut, p)
			}
		default:
			a, err = netip.ParseAddr(value)
			to := map[string]*[]netip.Addr{"client": &n.Clients, "server": &n.Server, "vip": &n.VIPs}[kind]
			if to == nil {
				return n, fmt.Errorf("%q is no part of a network", kind)
			}
			*to = append(*to, a)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
