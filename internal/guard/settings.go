// Package guard closes the ports that docker publishes to the public interfaces of a docker
// host, except for those that are allowed. The rules, and the scripts that load them, are a
// set of files on the docker host.
package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Settings are what the user wants.
type Settings struct {
	Public []string `json:"public"` // interfaces
	// Auto reports that the interfaces were found by the default routes.
	Auto  bool   `json:"auto"`
	Allow []Port `json:"allow"`
	// Strict has dockerd not start where the rules cannot be loaded.
	Strict bool `json:"strict"`
}

// Port is a published port that is open.
type Port struct {
	Port int  `json:"port"`
	UDP  bool `json:"udp"`
	// From are the clients that reach it; the zero Prefix is everyone.
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

// covers reports whether the port is open to a family's clients.
func (p Port) covers(v6 bool) bool { return !p.From.IsValid() || p.From.Addr().Is6() == v6 }

// SyntaxError is text that names no port, interface or network.
type SyntaxError struct{ Text, Why string }

func (e *SyntaxError) Error() string { return fmt.Sprintf("%q %s", e.Text, e.Why) }

// ParsePorts reads PORT[/udp],…; from is a CIDR or an address, "" for everyone.
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
		return Port{}, &SyntaxError{text, "is no port: behind the slash stands tcp or udp"}
	}
	n, err := strconv.Atoi(number)
	switch {
	case strings.Contains(number, "-"):
		return Port{}, &SyntaxError{text, "is no port: ranges are not taken, name each port"}
	case err != nil || strconv.Itoa(n) != number:
		return Port{}, &SyntaxError{text, "is no port"}
	case n < 1 || n > 65535:
		return Port{}, &SyntaxError{text, "is no port: ports are 1 to 65535"}
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
		return p, &SyntaxError{text, "is no network: it is an address or a CIDR, such as 198.51.100.0/24"}
	}
	return p.Masked(), nil
}

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$`)

// Auto stands for the interfaces of the default routes.
const Auto = "auto"

// ParseInterfaces reads IFACE,… or "auto", which is not resolved here.
func ParseInterfaces(text string) (names []string, auto bool, err error) {
	if text == Auto {
		return nil, true, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if !interfaceName.MatchString(name) {
			return nil, false, &SyntaxError{name, "is no interface"}
		}
		if name == "lo" || strings.HasPrefix(name, "docker") || strings.HasPrefix(name, "br-") {
			return nil, false, &SyntaxError{name, "is not public: it is the docker host's own"}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, false, nil
}

// With is the settings with more ports allowed. A port that is in the list already is
// replaced, so that its clients can be changed.
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

// Without is the settings without ports, and those of ports that it did not have.
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

func (p Port) sameAs(other Port) bool { return p.Port == other.Port && p.UDP == other.UDP }

// Text is the settings as they are kept.
func (s Settings) Text() string {
	if s.Public == nil {
		s.Public = []string{}
	}
	if s.Allow == nil {
		s.Allow = []Port{}
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has strings, numbers and networks
	}
	return string(data) + "\n"
}

// ParseSettings reads what Text has written.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("reading guard's settings on the docker host: %w", err)
	}
	for _, name := range s.Public {
		if !interfaceName.MatchString(name) {
			return s, &SyntaxError{name, "is no interface (in guard's settings on the docker host)"}
		}
	}
	for _, p := range s.Allow {
		if p.Port < 1 || p.Port > 65535 {
			return s, &SyntaxError{p.String(), "is no port (in guard's settings on the docker host)"}
		}
	}
	return s, nil
}

// Allows lists the ports for people.
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
