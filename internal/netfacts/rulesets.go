package netfacts

import (
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/nft"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

// rulesets reads all packet filters. nft also lists the tables of iptables and ebtables, but not
// all of their conditions; they are read from iptables-save and ebtables-save instead.
func (f *Facts) rulesets(a dockerhost.Answer) error {
	f.legacyUnread(a)
	own := map[string]bool{}
	for _, tool := range []netfilter.Tool{netfilter.IPTables, netfilter.IP6Tables, netfilter.EBTables} {
		for _, backend := range []netfilter.Backend{netfilter.NFTables, netfilter.Legacy} {
			if a.Text("failed "+string(tool)+" "+string(backend)) != "" {
				f.Unread = append(f.Unread, fmt.Sprintf("%s-save of the %s backend failed", tool, backend))
			}
			tables, err := saved.Parse(tool, backend, []byte(a.Text("rules "+string(tool)+" "+string(backend))))
			if err != nil {
				return err
			}
			f.Tables = append(f.Tables, tables...)
			if backend == netfilter.NFTables {
				for _, t := range tables {
					own[t.Family+" "+t.Name] = true
				}
			}
		}
	}
	var err error
	if f.Sets, err = saved.ParseSets(a.Lines("ipset")); err != nil {
		return err
	}
	text := a.Text("nft")
	if text == "" {
		for _, line := range a.Lines("nft-tables") {
			if name := strings.TrimPrefix(line, "table "); name != "" && !own[name] {
				f.Unread = append(f.Unread, "the docker host's nft cannot print table "+name+" as JSON")
			}
		}
		return nil
	}
	tables, err := nft.Parse([]byte(text), func(family, name string) bool { return own[family+" "+name] })
	if err != nil {
		return err
	}
	nft.AddDevices(tables, a.Lines("nft-chains"))
	f.Tables = append(f.Tables, tables...)
	return nil
}

// legacyUnread records rules of the legacy backend that the kernel has, but no program on the docker
// host prints, and all rules of arptables.
func (f *Facts) legacyUnread(a dockerhost.Answer) {
	for _, line := range a.Lines("legacy-tables") { // "/proc/net/ip_tables_names:filter"
		path, table, _ := strings.Cut(line, ":")
		tool := map[string]string{"/proc/net/ip_tables_names": "iptables", "/proc/net/ip6_tables_names": "ip6tables", "/proc/net/arp_tables_names": "arptables"}[path]
		if tool == "" || a.Has("rules "+tool+" legacy") {
			continue
		}
		f.Unread = append(f.Unread, fmt.Sprintf("%s-legacy %s: no program on the docker host prints its rules", tool, table))
	}
	for _, line := range a.Lines("rules arptables legacy") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Chain ") || strings.Contains(line, "policy DROP") {
			f.Unread = append(f.Unread, "arptables-legacy: "+line)
		}
	}
}
