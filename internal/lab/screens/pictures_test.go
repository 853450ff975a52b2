//go:build e2e

package screens

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/pictures"
)

// TestPicturesAreFresh makes the documentation's pictures anew and compares; `make pictures`
// writes them. The picture of reach needs real packet filters: package e2e has it.
func TestPicturesAreFresh(t *testing.T) {
	const width = 88
	l := newLaptop(t, "/tmp/dvh-pictures")
	l.machine(t, "localhost", "192.168.99.100")
	web, dns, db := free(t), free(t), free(t)
	for _, c := range []struct {
		name string
		port fakedockerhost.Port
	}{
		{"web", fakedockerhost.Port{IP: "0.0.0.0", Host: web, Target: 80, Protocol: "tcp"}},
		{"dns", fakedockerhost.Port{IP: "0.0.0.0", Host: dns, Target: 53, Protocol: "udp"}},
		{"db", fakedockerhost.Port{IP: "0.0.0.0", Host: db, Target: 5432, Protocol: "tcp"}},
	} {
		if err := fakedockerhost.AddContainer(l.GuestDir("default"), c.name, "always", c.port); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Lab.Laptop(func(s *fakelaptop.State) { s.VPNOn() }); err != nil {
		t.Fatal(err)
	}
	const eval, next = `eval "$(docker-vpn-helper fix default)"`, "echo NEXT\n"
	script := typed("docker-vpn-helper doctor default") + next +
		typed(eval) + typed("docker ps") + next +
		typed("docker-vpn-helper doctor default") + next + follow(web, db)
	screens := strings.Split(l.run(t, width, "", script), "NEXT\n")
	for i, picture := range []struct{ name, title string }{
		{"doctor-broken", "doctor finds the VPN that took the route, and the command that repairs it"},
		{"fix", "fix adds a NAT rule, and docker works again"},
		{"doctor-repaired", "doctor verifies the repair, with the VPN still connected"},
		{"ports-follow", "ports follow keeps published ports on localhost, as containers come and go"},
	} {
		screen := steadyPorts(strings.ReplaceAll(steady(steadyList(screens[i])), "CONTAINER-NO", "615624fbfac9"), map[int]int{web: 28080, dns: 28053, db: 25432})
		if err := pictures.Check("../../../docs/pictures", picture.name, picture.title, screen, *update); err != nil {
			t.Error(err)
		}
	}
}

// follow is a script that shows ports follow while a container starts and another stops.
func follow(web, db int) string {
	await := func(condition string) string { return "until " + condition + "; do sleep 0.1; done\n" }
	listed := func(port int) string {
		return fmt.Sprintf("docker-vpn-helper ports default | grep -q localhost:%d", port)
	}
	return "docker stop db >/dev/null\n" + await("! "+listed(db)) +
		"cat <<'PROMPT'\n\n$ docker-vpn-helper ports follow default\nPROMPT\ndocker-vpn-helper ports follow default & pid=$!\n" +
		await(listed(web)) + "docker start db >/dev/null\n" + await(listed(db)) + "docker stop web >/dev/null\n" + await("! "+listed(web)) +
		"kill -TERM $pid; wait $pid\n"
}

// free is a port of five digits that no other program has, as good as can be known.
func free(t *testing.T) int {
	t.Helper()
	ln, err := embedded.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// steadyList shows containers with one age, and with CONTAINER-NO for an ID, in the columns that
// they have.
func steadyList(screen string) string {
	screen = regexp.MustCompile(`(?m)^[0-9a-f]{12} `).ReplaceAllString(screen, "CONTAINER-NO ")
	return regexp.MustCompile(`Up .*?  `).ReplaceAllStringFunc(screen, func(age string) string { return fmt.Sprintf("%-*s", len(age), "Up 2 hours") })
}

// steadyPorts shows one port as another.
func steadyPorts(screen string, shown map[int]int) string {
	for port, as := range shown {
		screen = regexp.MustCompile(`\b`+strconv.Itoa(port)+`\b`).ReplaceAllString(screen, strconv.Itoa(as))
	}
	screen = strings.ReplaceAll(screen, "2026-01-31", "2028-05-14")
	return strings.TrimSuffix(strings.TrimSuffix(screen, "END\n"), "\n")
}
