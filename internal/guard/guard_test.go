package guard

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfacts"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/saved"
)

func TestWhatIsNoPort(t *testing.T) {
	for _, text := range []string{"", "0", "65536", "70000", "80;rm", "8000-8010", "8010-8000", "443/icmp", "-1", "+80", "080", "8 0", "http", "80/", "80,,443", "80/udp;", "1e3", "８０"} {
		if got, err := ParsePorts([]string{text}, ""); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	got, err := ParsePorts([]string{"80,443/tcp", "53/udp"}, "198.51.100.7/24")
	if err != nil {
		t.Fatal(err)
	}
	from := netip.MustParsePrefix("198.51.100.0/24")
	if diff := cmp.Diff([]Port{{80, false, from}, {443, false, from}, {53, true, from}}, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for _, from := range []string{"x", "10.0.0.0/33", "10.0.0.0/8;", "fe80::1%eth0", "::ffff:10.0.0.0/100", "10.0.0.0-10.0.0.9"} {
		if _, err := ParsePorts([]string{"80"}, from); err == nil {
			t.Errorf("--from %q is taken", from)
		}
	}
}

func TestWhatIsNoInterface(t *testing.T) {
	for _, text := range []string{"", "eth0;reboot", "eth0,", "eth0 eth1", "eth+", "*", "../x", "a234567890123456", "lo", "docker0", "br-1234", `"`, "eth\n0", "-i"} {
		if got, _, err := ParseInterfaces(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	got, auto, err := ParseInterfaces("eth0, ppp0,enp3s0.100,eth0")
	if diff := cmp.Diff([]string{"eth0", "ppp0", "enp3s0.100"}, got); diff != "" || auto || err != nil {
		t.Error(diff, auto, err)
	}
}

func TestSettingsAreKept(t *testing.T) {
	ports, err := ParsePorts([]string{"443", "80"}, "")
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := ParsePorts([]string{"443"}, "2001:db8::/32")
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Public: []string{"eth0"}, Strict: true}.With(ports).With(narrow)
	if got := s.Allows(); got != "80/tcp, 443/tcp from 2001:db8::/32" {
		t.Error(got)
	}
	again, err := ParseSettings(s.Text())
	if err != nil || again.Text() != s.Text() {
		t.Errorf("%v: %s, not %s", err, again.Text(), s.Text())
	}
	less, unknown := s.Without([]Port{{Port: 443}, {Port: 444}})
	if less.Allows() != "80/tcp" || len(unknown) != 1 || s.Allows() != "80/tcp, 443/tcp from 2001:db8::/32" {
		t.Error(less.Allows(), unknown, s.Allows())
	}
	for _, bad := range []string{"", "{}x", `{"public":["eth0; rm"]}`, `{"allow":[{"port":70000}]}`} {
		if _, err := ParseSettings(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// onHost are the facts of a docker host whose kernel matches cgroups.
func onHost() *Facts {
	return &Facts{
		Facts: &netfacts.Facts{
			Docker: true, Sysctl: map[string]string{"net.ipv6.conf.all.forwarding": "1"},
			Networks: []netfacts.Network{{Name: "bridge", Driver: "bridge", Bridge: "docker0"}, {Name: "own", Driver: "bridge", Bridge: "lan7"}},
			Containers: []netfacts.Container{{Name: "web", PID: 7, Published: []netfacts.Published{
				{Port: 443, HostPort: 9001, HostIP: netip.IPv4Unspecified()}, {Port: 80, HostPort: 443, HostIP: netip.IPv4Unspecified()}}}},
			Routes: []netfacts.Route{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", Type: "unicast"}},
			Links:  []netfacts.Link{{Name: "eth0"}},
		},
		Rules: hostrules.State{Systemd: true, AtBoot: true, Dir: "/etc/docker-vpn-helper/guard"}, Socket: "/var/run/docker.sock", DockerRoot: "/var/lib/docker",
		DockerdRuns: true, listens: []Port{{Port: 2376}}, Cgroup: "system.slice/docker.service", CgroupLevel: 2, CgroupMatch: "yes",
	}
}

func settings(t *testing.T) Settings {
	ports, err := ParsePorts([]string{"443"}, "")
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := ParsePorts([]string{"53/udp"}, "198.51.100.0/24")
	if err != nil {
		t.Fatal(err)
	}
	return Settings{Public: []string{"eth0", "ppp0"}}.With(ports).With(narrow)
}

func TestTexts(t *testing.T) {
	f := onHost()
	set := f.Set(settings(t))
	const head = "-A DOCKER-PUB -m conntrack --ctdir REPLY -j RETURN\n-A DOCKER-PUB -m conntrack --ctstate RELATED -j RETURN\n"
	const tail = "-A DOCKER-PUB -p tcp -m conntrack --ctstate DNAT --ctorigdstport 443 -j RETURN\n" +
		"-A DOCKER-PUB -m conntrack --ctstate DNAT -j DROP\n-A DOCKER-PUB -o docker+ -j DROP\n-A DOCKER-PUB -o br-+ -j DROP\n-A DOCKER-PUB -o lan7 -j DROP\n"
	for name, want := range map[string]string{
		"v4":     head + "-A DOCKER-PUB -s 198.51.100.0/24 -p udp -m conntrack --ctstate DNAT --ctorigdstport 53 -j RETURN\n" + tail,
		"v6":     head + tail,
		"ifaces": "eth0\nppp0\n",
		"table.nft": `table inet dvh_guard
delete table inet dvh_guard
table inet dvh_guard {
	chain forward {
		type filter hook forward priority mangle; policy accept;
		iifname != { "eth0", "ppp0" } return
		ct direction reply return
		ct state related return
		ip saddr 198.51.100.0/24 ct status dnat meta l4proto udp ct original proto-dst 53 return
		ct status dnat meta l4proto tcp ct original proto-dst 443 return
		ct status dnat drop
		oifname "docker*" drop
		oifname "br-*" drop
		oifname "lan7" drop
	}
	chain input {
		type filter hook input priority mangle; policy accept;
		iifname != { "eth0", "ppp0" } return
		ct direction reply return
		ct state related return
		socket cgroupv2 level 2 "system.slice/docker.service" jump published
	}
	chain published {
		ip saddr 198.51.100.0/24 udp dport 53 return
		tcp dport 443 return
		tcp dport 2376 return
		drop
	}
}
`,
	} {
		if diff := cmp.Diff(want, set.Files[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := set.Units[dropIn]; got != "[Service]\nExecStartPre=-@DIR@/apply\n" || set.Boot != "" {
		t.Errorf("drop-in %q, boot %q", got, set.Boot)
	}

	f.CgroupMatch, f.Rules.Systemd = "no", false // boot2docker
	set = f.Set(settings(t))
	if set.Files["table.nft"] != "" || set.Boot != "bootsync.sh" || len(set.Units) != 0 {
		t.Errorf("without systemd and cgroups: %+v", set)
	}
	if want := "-A DOCKER-PUB-IN -s 198.51.100.0/24 -p udp -m udp --dport 53 -j RETURN\n"; !strings.Contains(set.Files["v4.in"], want) || strings.Contains(set.Files["v6.in"], "dport 53") {
		t.Errorf("v4.in %s\nv6.in %s", set.Files["v4.in"], set.Files["v6.in"])
	}
}

// A session with a container's sshd is not cut off.
func TestSessionStays(t *testing.T) {
	f := onHost()
	for _, c := range []struct{ session, allowed string }{
		{"", ""},
		{"203.0.113.9 4711 203.0.113.2 22", ""},
		{"203.0.113.9 4711 203.0.113.2 9001", "9001/tcp"},
		{"203.0.113.9 4711 203.0.113.2 x", ""},
	} {
		f.Rules.Session = c.session
		if got := (Settings{Allow: f.openPorts(Settings{})}).Allows(); got != c.allowed && (got != "none" || c.allowed != "") {
			t.Errorf("in session %q %s are allowed", c.session, got)
		}
	}
}

// loaded are the facts of a docker host on which guard is on, as apply has left it.
func loaded(t *testing.T, s Settings) *Facts {
	f := onHost()
	set := f.Set(s)
	f.Rules.Installed = &set
	f.StartPre = "path=/etc/docker-vpn-helper/guard/apply"
	f.Table = `table inet dvh_guard { socket cgroupv2 level 2 "system.slice/docker.service" jump published }`
	f.LoadedTable = f.Table
	f.Tables = nil
	for tool, file := range map[netfilter.Tool]string{netfilter.IPTables: "v4", netfilter.IP6Tables: "v6"} {
		f.mangle(t, tool, netfilter.NFTables, "-A FORWARD -i eth0 -j DOCKER-PUB\n-A FORWARD -i ppp0 -j DOCKER-PUB\n-A FORWARD -j LOG\n"+set.Files[file])
	}
	return f
}

// mangle replaces a family's table in one backend.
func (f *Facts) mangle(t *testing.T, tool netfilter.Tool, backend netfilter.Backend, rules string) {
	t.Helper()
	var others []*netfilter.Table
	for _, table := range f.Tables {
		if table.Tool != tool || table.Backend != backend {
			others = append(others, table)
		}
	}
	tables, err := saved.Parse(tool, backend, []byte("*mangle\n:FORWARD ACCEPT\n:INPUT ACCEPT\n:DOCKER-PUB -\n"+rules+"COMMIT\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.Tables = append(others, tables...)
}

func TestDrift(t *testing.T) {
	s := settings(t)
	v4 := onHost().Set(s).Files["v4"]
	const jumps = "-A FORWARD -i eth0 -j DOCKER-PUB\n-A FORWARD -i ppp0 -j DOCKER-PUB\n"
	for _, c := range []struct {
		kinds string
		do    func(*Facts)
	}{
		{"", func(*Facts) {}},
		{"jump-missing", func(f *Facts) {
			f.mangle(t, netfilter.IPTables, netfilter.NFTables, "-A FORWARD -i eth0 -j DOCKER-PUB\n"+v4)
		}},
		{"jump-displaced", func(f *Facts) {
			f.mangle(t, netfilter.IPTables, netfilter.NFTables, "-A FORWARD -j ACCEPT\n"+jumps+v4)
		}},
		{"jump-foreign", func(f *Facts) {
			f.mangle(t, netfilter.IPTables, netfilter.NFTables, jumps+"-A FORWARD -i eth9 -j DOCKER-PUB\n"+v4)
		}},
		{"chain-missing", func(f *Facts) { f.Tables = f.Tables[:1] }},
		{"chain-changed", func(f *Facts) {
			f.mangle(t, netfilter.IPTables, netfilter.NFTables, jumps+strings.Replace(v4, "443", "444", 1))
		}},
		{"chain-changed", func(f *Facts) {
			f.mangle(t, netfilter.IPTables, netfilter.NFTables, jumps+v4+"-A DOCKER-PUB -j ACCEPT\n")
		}},
		{"two-backends", func(f *Facts) { f.mangle(t, netfilter.IPTables, netfilter.Legacy, jumps+v4) }},
		{"table-missing", func(f *Facts) { f.Table = "" }},
		{"table-changed", func(f *Facts) { f.Table += " " }},
		{"cgroup-stale", func(f *Facts) { f.Table = "table inet dvh_guard { socket cgroupv2 level 2 4711 jump published }" }},
		{"bridge-unknown", func(f *Facts) {
			f.Networks = append(f.Networks, netfacts.Network{Name: "new", Driver: "bridge", Bridge: "lan8"})
		}},
		{"dockerd-closed", func(f *Facts) { f.listens = append(f.listens, Port{Port: 2377}) }},
		{"drop-in-missing", func(f *Facts) { delete(f.Rules.Installed.Units, dropIn) }},
		{"drop-in-changed", func(f *Facts) { f.Rules.Installed.Units[dropIn] += "#" }},
		{"drop-in-masked", func(f *Facts) { f.StartPre = "" }},
		{"drop-in-not-read", func(f *Facts) { f.ReloadPending = true }},
		{"file-missing", func(f *Facts) { delete(f.Rules.Installed.Files, "remove") }},
		{"file-changed", func(f *Facts) { f.Rules.Installed.Files["apply"] += "exit 0" }},
		{"file-changed chain-changed", func(f *Facts) {
			f.Rules.Installed.Files["v4"] = strings.Replace(v4, "443", "444", 1)
		}},
	} {
		f := loaded(t, s)
		c.do(f)
		var kinds []string
		for _, d := range f.Drift(s) {
			if len(kinds) == 0 || kinds[len(kinds)-1] != d.Kind {
				kinds = append(kinds, d.Kind)
			}
		}
		if got := strings.Join(kinds, " "); got != c.kinds {
			t.Errorf("drift is %q, not %q", got, c.kinds)
		}
	}
	auto := s
	auto.Auto = true
	f := loaded(t, auto)
	f.Routes[0].Link = "eth5"
	if d := f.Drift(auto); len(d) != 3 || d[0].Kind != "interface-outdated" {
		t.Errorf("the default route is elsewhere: %v", d)
	}
	if d := onHost().Drift(Settings{}); d != nil {
		t.Errorf("guard is off: %v", d)
	}
}

func FuzzParsePorts(f *testing.F) {
	f.Add("80", "")
	f.Add("80,443/udp", "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, text, from string) {
		ports, err := ParsePorts([]string{text}, from)
		if err != nil {
			return
		}
		again, err := ParseSettings(Settings{Public: []string{"eth0"}, Allow: ports}.Text())
		if err != nil || len(again.Allow) != len(ports) {
			t.Fatalf("%v: %v", ports, err)
		}
		for _, p := range ports {
			if strings.ContainsAny(p.String(), ";\n'\"$`") {
				t.Fatalf("%q", p)
			}
		}
	})
}

func TestNotesOnWhatIsNotCovered(t *testing.T) {
	f := onHost()
	has := func(text string) bool {
		return slices.ContainsFunc(f.Notes(settings(t)), func(n string) bool { return strings.Contains(n, text) })
	}
	const swarm, restart = "the docker host is in a swarm", "a restart of docker leaves IPv6 open"
	if has(swarm) || has(restart) {
		t.Errorf("notes: %q", f.Notes(settings(t)))
	}
	f.Networks = append(f.Networks, netfacts.Network{Name: "ingress", Driver: "overlay"})
	f.Rules.Pending = &hostrules.Pending{}
	if !has(swarm) || !has(restart) {
		t.Errorf("notes: %q", f.Notes(settings(t)))
	}
}
