// Package guard closes a docker host's published ports to clients on its public interfaces, except for ports
// that are allowed. It keeps the rules, and the scripts that load them, as a set of files on the docker host.
package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Settings are what the user asked for.
type Settings struct {
	Public []string `json:"public"` // names of the public interfaces
	Auto   bool     `json:"auto"`   // Public are the interfaces of the default routes
	Allow  []Port   `json:"allow"`  // stay open to the public
	Strict bool     `json:"strict"` // dockerd must not start if the rules cannot be loaded
}

// Port is a port of the docker host.
type Port struct {
	Port int  `json:"port"`
	UDP  bool `json:"udp"`
	// From is the network of the clients that may use it; the zero Prefix means everyone.
	From netip.Prefix `json:"from,omitzero"`
}

func (p Port) String() string {
	s := strconv.Itoa(p.Port) + "/" + p.protocol()
	if p.From.IsValid() {
		s += " from " + p.From.String()
	}
	return s
}

func (p Port) protocol() string {
	if p.UDP {
		return "udp"
	}
	return "tcp"
}

// openTo reports whether any client of an address family may use the port.
func (p Port) openTo(family packet.Family) bool {
	return !p.From.IsValid() || packet.FamilyOf(p.From.Addr()) == family
}

// SyntaxError is text that is not a port, an interface or a network. Why begins with "is".
type SyntaxError struct{ Text, Why string }

func (e *SyntaxError) Error() string { return fmt.Sprintf("%q %s", e.Text, e.Why) }

// ParsePorts reads lists such as "80,443,53/udp". from is the network or address of the
// clients; "" means everyone.
func ParsePorts(texts []string, from string) ([]Port, error) {
	var network netip.Prefix
	if from != "" {
		var err error
		if network, err = parseNetwork(from); err != nil {
			return nil, err
		}
	}
	var all []Port
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			p, err := parsePort(strings.TrimSpace(part))
			if err != nil {
				return nil, err
			}
			p.From = network
			all = append(all, p)
		}
	}
	return all, nil
}

func parsePort(text string) (Port, error) {
	number, protocol, found := strings.Cut(text, "/")
	if found && protocol != "tcp" && protocol != "udp" {
		return Port{}, &SyntaxError{text, "is not a port: only tcp or udp may follow the slash"}
	}
	n, err := strconv.Atoi(number)
	switch {
	case strings.Contains(number, "-"):
		return Port{}, &SyntaxError{text, "is not a port: ranges are not supported, list each port"}
	case err != nil || strconv.Itoa(n) != number:
		return Port{}, &SyntaxError{text, "is not a port"}
	case n < 1 || n > 65535:
		return Port{}, &SyntaxError{text, "is not a port: ports are 1 to 65535"}
	}
	return Port{Port: n, UDP: protocol == "udp"}, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, &SyntaxError{text, "is neither an address nor a network such as 198.51.100.0/24"}
	}
	return p.Masked(), nil
}

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$`)

// Auto is what the user types for the interfaces of the default routes.
const Auto = "auto"

// ParseInterfaces reads a list such as "eth0,ppp0". For "auto" it returns auto and no names.
func ParseInterfaces(text string) (names []string, auto bool, err error) {
	if text == Auto {
		return nil, true, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !interfaceName.MatchString(name) {
			return nil, false, &SyntaxError{name, "is not the name of an interface"}
		}
		if name == "lo" || strings.HasPrefix(name, "docker") || strings.HasPrefix(name, "br-") {
			return nil, false, &SyntaxError{name, "is not a public interface: it is internal to the docker host"}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, false, nil
}

// With returns the settings with more ports allowed. A port that is allowed already is replaced,
// so that its clients can be changed.
func (s Settings) With(ports []Port) Settings {
	s.Allow = slices.Clone(s.Allow)
	for _, p := range ports {
		s.Allow = slices.DeleteFunc(s.Allow, p.sameAs)
	}
	s.Allow = append(s.Allow, ports...)
	slices.SortFunc(s.Allow, func(a, b Port) int {
		return strings.Compare(fmt.Sprintf("%05d %s", a.Port, a), fmt.Sprintf("%05d %s", b.Port, b))
	})
	s.Allow = slices.Compact(s.Allow)
	return s
}

// Without returns the settings with ports no longer allowed, and those of the ports that were
// not allowed before.
func (s Settings) Without(ports []Port) (_ Settings, unknown []Port) {
	s.Allow = slices.Clone(s.Allow)
	for _, p := range ports {
		before := len(s.Allow)
		if s.Allow = slices.DeleteFunc(s.Allow, p.sameAs); len(s.Allow) == before {
			unknown = append(unknown, p)
		}
	}
	return s, unknown
}

// sameAs reports whether two ports differ in their clients at most.
func (p Port) sameAs(other Port) bool { return p.Port == other.Port && p.UDP == other.UDP }

// Text returns the settings as they are stored on the docker host: one line of JSON.
func (s Settings) Text() string {
	if s.Public == nil {
		s.Public = []string{}
	}
	if s.Allow == nil {
		s.Allow = []Port{}
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen: they are strings, numbers and networks
	}
	return string(data) + "\n"
}

// ParseSettings reads what Text returned.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("reading guard's settings on the docker host: %w", err)
	}
	for _, name := range s.Public {
		if !interfaceName.MatchString(name) {
			return s, &SyntaxError{name, "is not the name of an interface (in guard's settings on the docker host)"}
		}
	}
	for _, p := range s.Allow {
		if p.Port < 1 || p.Port > 65535 {
			return s, &SyntaxError{p.String(), "is not a port (in guard's settings on the docker host)"}
		}
	}
	return s, nil
}

// Allows lists the allowed ports for people: "80/tcp, 53/udp from 10.0.0.0/8", or "none".
func (s Settings) Allows() string {
	if len(s.Allow) == 0 {
		return "none"
	}
	texts := make([]string, len(s.Allow))
	for i, p := range s.Allow {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}
