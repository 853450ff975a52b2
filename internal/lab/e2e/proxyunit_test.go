//go:build e2e && linux

package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

const (
	proxyUnit = "docker-vpn-helper-proxy.service"
	// askProxy prints an HTTP status, 000 where nothing answers.
	askProxy = "curl -s -o /dev/null -w '%{http_code}' --cacert /etc/proxy/ca.pem --cert /etc/proxy/cert.pem --key /etc/proxy/key.pem https://localhost:4242/version || true"
)

// Issue 17, "Must hold" 8: the unit with a real systemd.
func TestProxyUnit(t *testing.T) {
	s := on(t, nsguest.Systemd, fakestore.Options{})
	s.install(built.helper, "/usr/local/bin/docker-vpn-helper", 0o755)
	s.root("docker-vpn-helper proxy init /etc/proxy")
	s.root("docker-vpn-helper proxy on -H local --certs /etc/proxy")
	s.same("status", "200", s.root(askProxy))

	main := func() string {
		s.Helper()
		return strings.TrimSpace(s.root("systemctl show -p MainPID --value " + proxyUnit))
	}
	first := main()
	if who := s.root("ps -o user=,group= -p " + first); strings.HasPrefix(who, "root") {
		t.Errorf("the proxy runs as %s", who)
	}
	if out := s.root("grep -h '^Cap[EP]' /proc/" + first + "/status"); !regexp.MustCompile(`^(Cap(Prm|Eff):\s+0+\s*)+$`).MatchString(out) {
		t.Errorf("its capabilities: %s", out)
	}
	security := s.root("systemd-analyze security --no-pager " + proxyUnit + " | tail -n 1")
	t.Log(strings.TrimSpace(security))
	if m := regexp.MustCompile(`(\d+\.\d)`).FindString(security); m == "" {
		t.Errorf("systemd-analyze prints %q", security)
	} else if score, err := strconv.ParseFloat(m, 64); err != nil || score > 2 {
		t.Errorf("exposure %v, want at most 2.0", score)
	}

	// Other certificates, without a restart.
	s.root("rm -r /etc/proxy; docker-vpn-helper proxy init /etc/proxy")
	s.same("status with certificates that the proxy does not have yet", "000", s.root(askProxy))
	s.root("systemctl reload " + proxyUnit)
	s.answersOnce(askProxy)
	s.same("PID after reloading", first, main())

	s.root("kill -9 " + first)
	s.answersOnce(askProxy)
	if main() == first {
		t.Error("the proxy was not killed")
	}
	s.root("systemctl restart " + proxyUnit)
	s.answersOnce(askProxy)

	s.root("docker-vpn-helper proxy off -H local")
	s.same("status", "000", s.root(askProxy))
	s.same("units", "", s.root("ls /etc/systemd/system /run | grep docker-vpn-helper || true"))
	s.root("docker-vpn-helper undo local")
	s.answersOnce(askProxy)
	s.root("docker-vpn-helper undo local")
	s.same("status after undo of both", "000", s.root(askProxy))
}

// answersOnce waits for a proxy to answer.
func (s *scene) answersOnce(line string) {
	s.Helper()
	s.must(await.Until(s.ctx(), "the proxy to answer", func() (bool, error) { return s.root(line) == "200", nil }))
}
