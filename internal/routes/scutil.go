package routes

import (
	"slices"
	"strings"
)

// ScutilListKeys is what to write to scutil's stdin for ParseScutilKeys.
const ScutilListKeys = "list State:/Network/Service/[^/]+/(DNS|IPv4)\n"

// ScutilShow is what to write to scutil's stdin for ParseShownLinks: one session for all keys, at
// least one. The answer shows which tunnel belongs to which VPN.
func ScutilShow(keys []string) string { return "show " + strings.Join(keys, "\nshow ") + "\n" }

// ParseScutilKeys parses scutil's answer to `list PATTERN`, lines of the form `subKey [0] =
// State:/Network/Service/gpd.pan/DNS`.
func ParseScutilKeys(out []byte) []string {
	var keys []string
	for line := range strings.Lines(string(out)) {
		head, key, ok := strings.Cut(strings.TrimSpace(line), "] = ")
		if ok && strings.HasPrefix(head, "subKey [") && key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// parseDictionary parses scutil's answer to `show KEY`. It returns false for "No such key",
// otherwise the dictionary with nested names joined by dots: "InterfaceName", "ServerAddresses.0".
func parseDictionary(out []byte) (map[string]string, bool) {
	dict := map[string]string{}
	var path []string
	open := false
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		key, value, pair := strings.Cut(line, " : ")
		switch {
		case line == "}":
			if len(path) == 0 {
				return dict, open
			}
			path = path[:len(path)-1]
		case !open:
			open = strings.HasPrefix(line, "<dictionary> {")
		case pair && strings.HasPrefix(value, "<") && strings.HasSuffix(value, "> {"):
			path = append(path, key)
		case pair:
			dict[strings.Join(append(slices.Clone(path), key), ".")] = value
		}
	}
	return dict, open
}

// ParseShownLinks parses the answers to several `show KEY` in one session. It returns each key's
// InterfaceName, in order; "" if it has none.
func ParseShownLinks(out []byte) []string {
	var links []string
	var block []byte
	for line := range strings.Lines(string(out)) {
		text := strings.TrimRight(line, "\r\n")
		switch {
		case len(block) == 0 && strings.TrimSpace(text) == "No such key":
			links = append(links, "")
		case len(block) > 0 || strings.HasPrefix(strings.TrimSpace(text), "<dictionary> {"):
			if block = append(block, line...); text == "}" || strings.HasSuffix(text, "{}") {
				dict, _ := parseDictionary(block)
				links, block = append(links, dict["InterfaceName"]), nil
			}
		}
	}
	return links
}

// Service is a row of `scutil --nc list`: built-in VPNs and Network Extensions, but also modems.
type Service struct {
	Status string // "Connected", "Disconnected", "Connecting" …
	UUID   string
	Name   string
	Type   string // "IPSec", "PPP:L2TP", "VPN:com.wireguard.macos"
}

// VPN reports whether the service is a VPN, not a modem or DSL line.
func (s Service) VPN() bool {
	kind, sub, _ := strings.Cut(s.Type, ":")
	switch kind {
	case "VPN", "IPSec", "L2TP", "PPTP", "IKEv2":
		return true
	case "PPP":
		return sub == "L2TP" || sub == "PPTP"
	}
	return false
}

// ParseNCList parses rows of the forms
//
//   - (Connected)      UUID IPSec             "Office"   [IPSec]
//     (Disconnected)   UUID PPP --> L2TP      "Home"     [PPP:L2TP]
//
// A long name may be cut off together with its closing quotation mark, and a name may have no
// quotation marks.
func ParseNCList(out []byte) []Service {
	var services []Service
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		rest := strings.TrimPrefix(line, "*")
		rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "(")
		status, rest, ok2 := strings.Cut(rest, ")")
		if !ok || !ok2 || status == "" {
			continue
		}
		s := Service{Status: status}
		if i := strings.LastIndex(rest, "["); i >= 0 && strings.HasSuffix(rest, "]") {
			s.Type, rest = rest[i+1:len(rest)-1], rest[:i]
		}
		head, name, quoted := strings.Cut(rest, `"`)
		s.Name = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(name), `"`))
		if f := strings.Fields(head); len(f) > 0 {
			s.UUID = f[0]
			if !quoted {
				s.Name = strings.Join(f[1:], " ")
			}
		}
		services = append(services, s)
	}
	return services
}
