package proxy

import (
	"strings"
	"testing"
)

func TestUnit(t *testing.T) {
	u := Unit{Program: "/usr/local/bin/docker-vpn-helper", Args: []string{"--listen", "127.0.0.1:443"}, Cert: "/etc/my certs/server.pem", Key: "/etc/k", CA: "/etc/ca", Group: "docker", Privileged: true}
	for _, want := range []string{
		`ExecStartPre=+/usr/bin/install -m 0440 -o root -g docker "/etc/my certs/server.pem" /run/docker-vpn-helper-proxy/server.pem` + "\n",
		"ExecStart=/usr/local/bin/docker-vpn-helper proxy -H local --listen 127.0.0.1:443 --cert /run/docker-vpn-helper-proxy/server.pem --key /run/docker-vpn-helper-proxy/server-key.pem --ca /run/docker-vpn-helper-proxy/ca.pem\n",
		"DynamicUser=yes\nSupplementaryGroups=docker\n", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n", "\nExecReload=/bin/kill -HUP $MAINPID\n",
	} {
		if text := u.Text(); !strings.Contains(text, want) {
			t.Errorf("the unit lacks %q:\n%s", want, text)
		}
	}
	u.Group, u.Privileged, u.Socket, u.AllowFile = "", false, "/run/other.sock", "/etc/allow"
	for text, want := range map[string]bool{
		"DynamicUser": false, "CapabilityBoundingSet=\n": true, "Environment=DOCKER_HOST=unix:///run/other.sock\n": true, " --allow-cn-file /run/docker-vpn-helper-proxy/allow-cn\n": true,
		"ExecReload=+/usr/bin/install -m 0440 -o root -g root /etc/allow /run/docker-vpn-helper-proxy/allow-cn\n": true,
	} {
		if strings.Contains(u.Text(), text) != want {
			t.Errorf("%q in the unit: want %t", text, want)
		}
	}
}
