//go:build e2e && linux

package firewall

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/nft"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

// filter is a packet filter of the router: how it is loaded and read.
type filter struct {
	load  func(text string)
	read  func() (saved string)
	parse func(saved string) ([]*netfilter.Table, error)
	count func(saved string) counters
}

func (l *lane) tool() netfilter.Tool {
	if l.v6 {
		return netfilter.IP6Tables
	}
	return netfilter.IPTables
}

// xtables is iptables, or ip6tables, of a backend.
func (l *lane) xtables(backend netfilter.Backend) filter {
	tool := l.tool()
	program := string(tool) + "-" + string(backend)
	return filter{
		load: func(text string) { l.run(l.router, text, program+"-restore") },
		read: func() string { return l.run(l.router, "", program+"-save", "-c") },
		parse: func(printed string) ([]*netfilter.Table, error) {
			return saved.Parse(tool, backend, []byte(printed))
		},
		count: func(saved string) counters {
			c := counters{}
			c.addSaved(tool, backend, saved)
			return c
		},
	}
}

// native is nft, with what iptables-restore-translate makes of a ruleset: rules that it cannot
// write are left out.
func (l *lane) native() filter {
	translate := "iptables-restore-translate"
	if l.v6 {
		translate = "ip6tables-restore-translate"
	}
	return filter{
		load: func(text string) {
			file := filepath.Join(l.TempDir(), "rules")
			text = strings.ReplaceAll(text, `\"`, "") // which it does not escape
			l.must(os.WriteFile(file, []byte(text), 0o600))
			var native strings.Builder
			native.WriteString("flush ruleset\n" + withConntrack)
			for line := range strings.Lines(l.run(l.router, "", translate, "-f", file)) {
				if !strings.Contains(line, " proto-dst ") { // nft 1.0.6 takes it only behind "ct original protocol"
					native.WriteString(line)
				}
			}
			l.run(l.router, native.String(), "nft", "-f", "-")
		},
		read: func() string { return l.run(l.router, "", "nft", "-j", "list", "ruleset") },
		parse: func(printed string) ([]*netfilter.Table, error) {
			return nft.Parse([]byte(printed), func(string, string) bool { return false })
		},
		count: func(saved string) counters {
			c := counters{}
			c.addNative(saved)
			return c
		},
	}
}

// addNative adds those of nft's rules; policies have none.
func (c counters) addNative(text string) {
	var list struct {
		Nftables []struct {
			Rule *struct {
				Family, Table, Chain string
				Expr                 []struct{ Counter json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		panic(err)
	}
	numbers := map[string]int{}
	for _, o := range list.Nftables {
		if o.Rule == nil {
			continue
		}
		at := netfilter.Place{Tool: netfilter.NFT, Backend: netfilter.NFTables, Family: o.Rule.Family, Table: o.Rule.Table, Chain: o.Rule.Chain}
		numbers[key(at)]++
		number := numbers[key(at)]
		for _, e := range o.Rule.Expr {
			var counter struct{ Packets int }
			if json.Unmarshal(e.Counter, &counter) == nil {
				at.Number = number
				c[key(at)] = counter.Packets
			}
		}
	}
}

// counters are the packets counted, by place; see key.
type counters map[string]int

// key is a place without its text.
func key(p netfilter.Place) string {
	return fmt.Sprintf("%s-%s %s %s %s %d", p.Tool, p.Backend, p.Family, p.Table, p.Chain, p.Number)
}

// addSaved adds the counters that a saver prints with -c.
func (c counters) addSaved(tool netfilter.Tool, backend netfilter.Backend, text string) {
	at := netfilter.Place{Tool: tool, Backend: backend, Family: map[netfilter.Tool]string{netfilter.IPTables: "ip", netfilter.IP6Tables: "ip6", netfilter.EBTables: "bridge"}[tool]}
	numbers := map[string]int{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		count := func(s string) int {
			n, _ := strconv.Atoi(strings.Trim(strings.SplitN(s, ":", 2)[0], "[]"))
			return n
		}
		switch {
		case len(fields) == 0:
		case fields[0][0] == '*':
			at.Table, numbers = fields[0][1:], map[string]int{}
		case fields[0][0] == ':' && len(fields) == 3:
			at.Chain, at.Number = fields[0][1:], 0
			c[key(at)] = count(fields[2])
		case fields[0][0] == '[' && len(fields) > 2:
			numbers[fields[2]]++
			at.Chain, at.Number = fields[2], numbers[fields[2]]
			c[key(at)] = count(fields[0])
		}
	}
}
