package ports

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Spec is a permanent forward: [ADDR:]LAPTOP_PORT[:DOCKER_HOST_PORT][/tcp|/udp].
type Spec struct {
	Protocol string
	Addr     netip.Addr // IPv4, of the laptop; by default 127.0.0.1
	Port     int        // of the laptop
	Target   int        // of the docker host
}

// String returns the specification with all its parts.
func (s Spec) String() string {
	return fmt.Sprintf("%s:%d:%d/%s", s.Addr, s.Port, s.Target, s.Protocol)
}

// SpecError is a specification that is wrong. Better is what the user may have meant, or "".
type SpecError struct{ Text, Problem, Better string }

func (e *SpecError) Error() string { return fmt.Sprintf("%q: %s", e.Text, e.Problem) }

// ParseSpec reads a specification. It must be strict: VirtualBox takes port 70000 for 4464, and an
// address that it cannot read for all addresses of the laptop.
func ParseSpec(text string) (Spec, error) {
	bad := func(better, format string, args ...any) (Spec, error) {
		return Spec{}, &SpecError{Text: text, Problem: fmt.Sprintf(format, args...), Better: better}
	}
	rest, protocol, given := strings.Cut(text, "/")
	if !given {
		protocol = TCP
	}
	if protocol != TCP && protocol != UDP {
		return bad(rest+"/tcp", "the protocol is tcp or udp, not %q", protocol)
	}
	s := Spec{Protocol: protocol, Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if strings.ContainsAny(rest, "[]") || strings.Count(rest, ":") > 2 {
		return bad("", "VirtualBox can only forward from IPv4 addresses")
	}
	parts := strings.Split(rest, ":")
	if len(parts) == 3 || len(parts) == 2 && strings.Trim(parts[0], "0123456789") != "" {
		addr, err := netip.ParseAddr(parts[0])
		if err != nil || !addr.Is4() {
			return bad(strings.Join(append([]string{"127.0.0.1"}, parts[1:]...), ":")+"/"+protocol, "%q is not an IPv4 address", parts[0])
		}
		s.Addr, parts = addr, parts[1:]
	}
	numbers := make([]int, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || n == 0 {
			return bad("", "a port is a number from 1 to 65535")
		}
		numbers[i] = int(n)
	}
	s.Port, s.Target = numbers[0], numbers[len(numbers)-1]
	return s, nil
}

// ParseSpecs reads several specifications, which must be for different ports of the laptop.
func ParseSpecs(texts []string) ([]Spec, error) {
	seen := map[Key]string{}
	var all []Spec
	for _, text := range texts {
		s, err := ParseSpec(text)
		if err != nil {
			return nil, err
		}
		if first, twice := seen[s.Key()]; twice {
			return nil, &SpecError{Text: text, Problem: fmt.Sprintf("%s is already in %q", s.Key(), first)}
		}
		seen[s.Key()] = text
		all = append(all, s)
	}
	return all, nil
}

// Key returns the port of the laptop.
func (s Spec) Key() Key { return Key{s.Protocol, s.Port} }

// AddedPrefix is the beginning of the names of all NAT rules that ports add adds.
const AddedPrefix = "docker-vpn-helper-add-"

// RuleName returns the name of the forward's NAT rule.
func (s Spec) RuleName() string {
	return fmt.Sprintf("%s%d-%s", AddedPrefix, s.Port, s.Protocol)
}
