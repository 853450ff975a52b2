//go:build e2e && linux

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// nginxes are configurations of nginx: name, settings for connections to dockerd, and headers of requests.
var nginxes = [][3]string{
	// Passes on upgrades as nginx's documentation has it (WebSocket proxying). 9 of the 13 things that people do with
	// docker work; run, run -i, exec and exec -i lose output, because nginx ends both directions when one has ended.
	{nginx, "", "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade_or_close;"},
	// Works for the same 9, and keeps connections to dockerd.
	{nginxKept, "keepalive 64; keepalive_requests 100000000;", "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade_or_nothing;"},
	// Keeps connections, and passes on no upgrades: exec -it and attach do not work either.
	{nginxPlain, "keepalive 64; keepalive_requests 100000000;", `proxy_set_header Connection "";`},
}

const (
	nginx      = "nginx"
	nginxKept  = "nginx (kept)"
	nginxPlain = "nginx (no upgrades)"
)

// nginx writes its configuration, which buffers nothing.
func (b *proxyBench) nginx(addr, name, connections, headers string) []string {
	file := b.path(name + ".conf")
	b.must(os.WriteFile(file, fmt.Appendf(nil, `daemon off; user root; worker_processes auto; pid "%[1]s/%[2]s.pid"; error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off; client_max_body_size 0; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	map $http_upgrade $upgrade_or_close { default upgrade; '' close; }
	map $http_upgrade $upgrade_or_nothing { default upgrade; '' ''; }
	upstream docker { server unix:%[1]s/d.sock; %[4]s }
	server {
		listen %[3]s ssl; keepalive_requests 100000000; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
		ssl_certificate %[1]s/certs/server.pem; ssl_certificate_key %[1]s/certs/server-key.pem;
		ssl_client_certificate %[1]s/certs/ca.pem; ssl_verify_client on;
		location / {
			proxy_pass http://docker; proxy_http_version 1.1; %[5]s
			proxy_buffering off; proxy_request_buffering off;
		}
	}
}
`, b.dir, name, addr, connections, headers), 0o600))
	return []string{"nginx", "-e", "stderr", "-c", file}
}

// ghostunnel builds it from the module proxy. It is no dependency of this module.
func (b *proxyBench) ghostunnel() (program string, err error) {
	download := exec.CommandContext(b.Context(), "go", "mod", "download", "-json", "github.com/ghostunnel/ghostunnel@v1.8.4")
	download.Dir = b.dir
	out, err := download.Output()
	if err != nil {
		return "", fmt.Errorf("go mod download: %w: %s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", err
	}
	program = b.path("ghostunnel")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-C", module.Dir, "-mod=readonly", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return program, nil
}
