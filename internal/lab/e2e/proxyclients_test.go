//go:build e2e && linux

package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// clientChecks are what people do with docker. Every script is one that a person could type, and has
// a stdout; $N tells the names of proxies apart, and box$N is a container that runs.
var clientChecks = []struct{ name, script, want string }{
	{"version", `docker version --format '{{.Server.Os}} {{.Client.Os}}'`, "linux linux\n"},
	{"run", `docker run --rm busybox echo hello`, "hello\n"},
	{"run's exit status", `docker run --rm busybox sh -c 'exit 7'; echo $?`, "7\n"},
	{"run -i", `seq 100000 | docker run --rm -i busybox cat | cmp - <(seq 100000) && echo same`, "same\n"},
	{"exec", `docker exec box$N echo hello`, "hello\n"},
	{"exec -i", `echo in | docker exec -i box$N cat`, "in\n"},
	{"exec -it", `{ echo 'test -t 0 && echo $((6*7)); exit'; sleep 2; } | script -qec "docker exec -it box$N sh" /dev/null | grep -c '^42.$'`, "1\n"},
	{"attach", `docker run -d -i --name at$N busybox sh -c 'read x; echo got $x' >/dev/null; { echo in; sleep 2; } | docker attach at$N; docker rm -f at$N >/dev/null`, "got in\n"},
	{"build of 60 MB", `docker build -q -t big$N ctx$N >/dev/null; docker run --rm big$N cat /big | cmp - ctx$N/big && echo same`, "same\n"},
	{"cp", `docker cp ctx$N/big box$N:/tmp/ && docker cp box$N:/tmp/big back$N && cmp ctx$N/big back$N && echo same`, "same\n"},
	{"save and load", `docker save big$N >saved$N && docker rmi -f big$N >/dev/null && docker load -q <saved$N >/dev/null && docker run --rm big$N cat /big | cmp - ctx$N/big && echo same`, "same\n"},
	{"logs -f, live", `docker run -d --name live$N busybox sh -c 'until test -e /tmp/go; do sleep 0.1; done; echo now; sleep 1000' >/dev/null
docker logs -f live$N >logs$N & p=$!
sleep 1; cat logs$N; docker exec live$N touch /tmp/go
for i in $(seq 100); do test -s logs$N && break; sleep 0.1; done
kill $p; docker rm -f live$N >/dev/null; cat logs$N`, "now\n"},
	{"a client without a certificate", `curl -s --cacert $CERTS/ca.pem -o /dev/null -w '%{http_code}\n' ${DOCKER_HOST/tcp/https}/version`, "400\n"},
}

// buildKit is what docker's builder of today does; the docker command of Debian has it built in.
const buildKit = `DOCKER_BUILDKIT=1 docker build -q -t kit$N ctx$N >/dev/null && docker run --rm kit$N cat /big | cmp - ctx$N/big && echo same`

func (p *proxied) clients(host string) {
	p.Helper()
	p.same("exit of proxy --check", 0, p.helper("proxy", "-H", map[bool]string{true: "default", false: host}[host == "local"], "--certs", p.certs, "--check").Exit)
	p.client(p.ctx(), host, `mkdir ctx$N && head -c 60M /dev/urandom >ctx$N/big && printf 'FROM busybox\nCOPY big /big\nRUN test -s /big\n' >ctx$N/Dockerfile
docker run -d --name box$N busybox sleep 1000`)
	p.Log(p.client(p.ctx(), host, `docker version --format 'docker {{.Client.Version}}, dockerd {{.Server.Version}}'`).Stdout)
	for _, c := range clientChecks {
		began := time.Now()
		r := p.client(p.ctx(), host, c.script)
		if r.Stdout != c.want {
			p.Errorf("%s at %s: got %q, want %q: %s", c.name, host, r.Stdout, c.want, r.Stderr)
		}
		p.Logf("%s at %s: %v", c.name, host, time.Since(began).Round(10*time.Millisecond))
	}
	if nsguest.OtherDocker() != "" {
		p.Log("BuildKit is not tried: another docker needs a plugin for it")
		return
	}
	r := p.client(p.ctx(), host, buildKit)
	p.same("BuildKit at "+host+": "+r.Stderr, "same\n", r.Stdout)
}

// waits are streams on which nothing happens for longer than other proxies allow: 100 s, in make
// soak 30 minutes.
func (p *proxied) waits(host string) {
	idle := 100
	if soaking() {
		idle = 30 * 60
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(idle)*time.Second+patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range []struct{ name, script, want string }{
		{"output 66 s after stdin ended", `echo in | docker run --rm -i busybox sh -c 'cat; sleep 66; echo late'`, "in\nlate\n"},
		{"output 66 s after the beginning, without stdin", `docker run --rm busybox sh -c 'sleep 66; echo late'`, "late\n"},
		{"logs -f, idle", fmt.Sprintf(`docker run -d --name idle$N busybox sh -c 'sleep %d; echo late' >/dev/null; docker logs -f idle$N`, idle), "late\n"},
		{"events, idle", fmt.Sprintf(`timeout %d docker events --filter image=nothing-$N --filter type=image --format '{{.Action}}' & sleep %d
docker tag busybox nothing-$N; wait`, idle+10, idle), "tag\n"},
	} {
		wg.Go(func() {
			if r := p.client(ctx, host, c.script); r.Stdout != c.want {
				p.Errorf("%s at %s: got %q, want %q: %s", c.name, host, r.Stdout, c.want, r.Stderr)
			}
		})
	}
	wg.Wait()
}
