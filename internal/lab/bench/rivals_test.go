//go:build e2e && linux

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// nginx is tuned for this: connections to dockerd are kept, nothing is buffered.
func (b *proxyBench) nginx(addr string) []string {
	b.must(os.WriteFile(b.path("nginx.conf"), fmt.Appendf(nil, `daemon off; user root; worker_processes auto; pid %[1]s/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
	access_log off; client_max_body_size 0; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	upstream docker { server unix:%[1]s/d.sock; keepalive 64; keepalive_requests 100000000; }
	server {
		listen %[2]s ssl; keepalive_requests 100000000; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
		ssl_certificate %[1]s/certs/server.pem; ssl_certificate_key %[1]s/certs/server-key.pem;
		ssl_client_certificate %[1]s/certs/ca.pem; ssl_verify_client on;
		location / {
			proxy_pass http://docker; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_buffering off; proxy_request_buffering off;
		}
	}
}
`, b.dir, addr), 0o600))
	return []string{"nginx", "-e", "stderr", "-c", b.path("nginx.conf")}
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
