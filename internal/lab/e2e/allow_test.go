//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// closedWorld is the contest's docker host with a third container, IPv6 on its public side,
// and web servers outside that no container may reach.
func closedWorld(t *testing.T) *scene {
	s := contest(t)
	s.web("web3", "-p", "8081:80", "--network=my-net")
	s.ipv6()
	s.root("ip -6 route add default via " + outside6)
	for _, port := range []int{8080, 9999} {
		s.must(s.vm.NAT.Do(func() error {
			l, err := net.Listen("tcp4", net.JoinHostPort(outside4, strconv.Itoa(port)))
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
			go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "out") }))
			return nil
		}))
	}
	return s
}

// fetches reports whether a client on the docker host gets an answer of a web server.
func (s *scene) fetches(addr string, port int) bool {
	line := fmt.Sprintf(`exec 3<>/dev/tcp/%s/%d && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && head -c 4 <&3 | grep -q HTTP`, addr, port)
	_, err := s.vm.Output(s.ctx(), "timeout", "6", "bash", "-c", line)
	return err == nil
}

// leaves reports whether a container gets a page from outside.
func (s *scene) leaves(container, url string) bool {
	_, err := s.vm.Docker(s.ctx(), "exec", container, "wget", "-T", "2", "-qO-", url)
	return err == nil
}

// wantOpen checks who answers whom. The neighbor tables are flushed before each look: an entry
// would hide that ARP is dropped.
func (s *scene) wantOpen(when string, open ...string) {
	s.Helper()
	began := time.Now()
	ports := map[string]int{"web1": 80, "web2": 8080, "web3": 8081}
	got := map[string]bool{}
	want := map[string]bool{}
	for name, port := range ports {
		flush := func() { s.root("ip neigh flush all") }
		is := false
		for _, o := range open {
			is = is || o == name
		}
		for _, from := range []string{"outside", "outside6", "the host", "its own address", "the bridge's address"} {
			want[name+" from "+from] = is
		}
		flush()
		got[name+" from outside"] = s.get(port) == nil
		flush()
		got[name+" from outside6"] = s.page(public6, port) == nil
		flush()
		got[name+" from the host"] = s.fetches("127.0.0.1", port)
		// The docker host asks for the hardware address with the address that it sends from. The
		// contest's rules let no other than the bridge's ask for web1 (wantAskedByBridge), so
		// that this look needs the entry of the one before. For web2 allow lets it ask.
		if name != "web1" {
			flush()
		}
		got[name+" from its own address"] = s.fetches(public4, port)
		flush()
		got[name+" from the bridge's address"] = s.fetches("10.213.213.1", port)
		if name != "web1" {
			for _, out := range []string{"http://10.0.2.2:8080/", "http://10.0.2.2:9999/"} {
				want[name+" gets "+out] = false
				got[name+" gets "+out] = s.leaves(name, out)
			}
		}
	}
	s.same(when, want, got)
	s.Logf("%s: looked for %v", when, time.Since(began).Round(time.Millisecond))
}

// wantAskedByBridge checks that the contest's own rules let the docker host ask for web1 with
// the bridge's address alone, and that reach names the rule whose counter then rises.
func (s *scene) wantAskedByBridge(rule int) {
	s.Helper()
	dropped := func() string {
		return s.root(fmt.Sprintf("ebtables -L OUTPUT --Lc | grep '^-' | sed -n '%dp'", rule))
	}
	s.root("ip neigh flush all")
	before := dropped()
	if s.fetches(public4, 80) {
		s.Error("web1 answers by the docker host's own address without a neighbor entry")
	}
	if after := dropped(); !strings.HasPrefix(after, "-p ARP -j DROP") || after == before {
		s.Errorf("the counter: %s%s", before, after)
	} else {
		s.Logf("web1 by the own address, arp_announce %s%s%s", s.root("cat /proc/sys/net/ipv4/conf/*/arp_announce | sort -u"), before, after)
	}
	want := fmt.Sprintf("arp: ebtables-nft filter OUTPUT rule %d: -p ARP -j DROP [secure-firewall.service /opt/secure_firewall.sh:13]\n"+
		"arp: ebtables-nft filter INPUT rule %d: -p ARP -j DROP [secure-firewall.service /opt/secure_firewall.sh:9]\n", rule, rule)
	s.same("reach web1 by the own address", want, s.reach("web1", "--from", public4).lines())
	r := s.reach("web1", "--from", "local")
	s.same("reach web1 by the loopback address", "", r.lines())
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "at the docker host's own address "+public4+" the port cannot be reached: ebtables filter OUTPUT rule") {
		s.Errorf("notes: %s", notes)
	}
}

// allowed is what `allow --json` prints.
type allowed struct {
	Opened       []struct{ Text string }
	Rules, Notes []string
	Applied      []string
	Journal      string
	Pending      bool
	Confirm      string
	Allowances   []struct {
		Container string
		Drift     []string
	}
	Drift          []string
	PendingSeconds int `json:"pending_seconds"`
	Error          struct{ Message, Hint string }
}

// allow runs allow or deny on the docker host.
func (s *scene) allow(exit int, args ...string) allowed {
	s.Helper()
	began := time.Now()
	r := s.helper(append([]string{"--json", "-H", "default"}, args...)...)
	s.Logf("%v took %v", args, time.Since(began).Round(time.Millisecond))
	if r.Exit != exit {
		s.Fatalf("%v: exit %d\n%s%s", args, r.Exit, r.Stdout, r.Stderr)
	}
	var a allowed
	s.decode(r.Stdout, &a)
	return a
}

// ruleLines are all rules, without counters and built-in tables that are empty.
func (s *scene) ruleLines() string {
	s.Helper()
	return s.root("{ iptables-save; ip6tables-save; iptables-legacy-save; ebtables-save; } | grep '^-A\\|^:.* - ' | sed 's/ \\[[0-9:]*\\]$//'")
}

const (
	openUser = `-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m comment --comment "dvh-allow:web2" -j RETURN`
	openAsk  = "-A OUTPUT -p ARP --arp-ip-dst 10.213.213.2 -j ACCEPT"
	openTell = "-A INPUT -p ARP --arp-ip-src 10.213.213.2 -j ACCEPT"
)

func TestAllowContest(t *testing.T) {
	s := closedWorld(t)
	s.wantOpen("before", "web1")
	s.wantAskedByBridge(4)
	before, files := s.ruleLines(), s.root("find /etc/systemd /opt /etc/docker-vpn-helper -type f 2>/dev/null | sort | xargs md5sum")
	dry := s.allow(0, "allow", "web2", "--dry-run")
	s.same("rules", 3, len(dry.Rules))
	s.same("a dry run changes nothing", before, s.ruleLines())
	logins := s.logins()
	a := s.allow(0, "allow", "web2")
	s.same("logins", logins+2, s.logins())
	s.same("rules", dry.Rules, a.Rules)
	s.same("opened", 3, len(a.Opened))
	after := s.ruleLines()
	var added []string
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			added = append(added, strings.TrimSpace(line))
		}
	}
	s.same("added", []string{openUser, openTell, openAsk}, added)
	s.wantOpen("allowed", "web1", "web2")
	s.wantAskedByBridge(5)
	for _, from := range []string{"public", "local", public4, "10.213.213.1"} {
		r := s.reach("web2", "--from", from)
		s.same("reach from "+from, "", r.lines())
		s.same("notes from "+from, []string{}, r.Notes)
	}
	again := s.allow(0, "allow", "web2")
	s.same("a second run applies nothing", 0, len(again.Applied))
	s.same("and changes nothing", after, s.ruleLines())
	s.same("drift", 0, len(s.allow(0, "allow", "--list").Drift))

	// The unit that writes the rules is started again.
	s.root("systemctl restart secure-firewall")
	s.wantOpen("unit restarted", "web1", "web2")
	s.same("list", []string{}, s.allow(0, "allow", "--list").Allowances[0].Drift)
	s.root("iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN; ebtables -F; systemctl restart secure-firewall")
	s.wantOpen("unit restarted after a flush", "web1", "web2")

	// A foreign rule between ours survives.
	s.root("iptables -I DOCKER-USER 4 -s 192.0.2.1 -j LOG; ebtables -I OUTPUT 2 -p ARP --arp-ip-src 192.0.2.1 -j ACCEPT")
	s.allow(0, "deny", "web2")
	s.wantOpen("denied", "web1")
	s.root("iptables -D DOCKER-USER -s 192.0.2.1 -j LOG; ebtables -D OUTPUT -p ARP --arp-ip-src 192.0.2.1 -j ACCEPT")
	s.same("rules after deny", before, s.ruleLines())
	s.same("files after deny", files, s.root("find /etc/systemd /opt /etc/docker-vpn-helper -type f 2>/dev/null | sort | xargs md5sum"))
	s.allow(1, "deny", "web2")

	s.allow(0, "allow", "web2")
	u := s.helper("undo", "default", "--yes")
	s.same("undo", 0, u.Exit)
	s.same("rules after undo", before, s.ruleLines())
	s.same("files after undo", files, s.root("find /etc/systemd /opt /etc/docker-vpn-helper -type f 2>/dev/null | sort | xargs md5sum"))
	s.wantOpen("undone", "web1")
}
