//go:build e2e && linux

package e2e

import (
	"context"
	"fmt"
	"slices"
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
	{"build with BuildKit", `DOCKER_BUILDKIT=1 docker build -q -t kit$N ctx$N >/dev/null && docker run --rm kit$N cat /big | cmp - ctx$N/big && echo same`, "same\n"},
	{"a client without a certificate", `curl -s --cacert $CERTS/ca.pem -o /dev/null -w '%{http_code}\n' ${DOCKER_HOST/tcp/https}/version`, "400\n"},
}

// composeChecks need compose, which Debian's docker command does not have.
var composeChecks = []struct{ name, script, want string }{
	{"compose up -d, logs and down", `cd compose$N
docker compose up -d >up 2>&1 || cat up
docker compose logs -f --no-color --no-log-prefix web >followed & p=$!
docker compose exec -T web sh -c 'until test -s /tmp/ready; do sleep 0.1; done; cat /tmp/ready'
for i in $(seq 100); do test -s followed && break; sleep 0.1; done
docker compose logs --no-color --no-log-prefix web
docker compose down -t 0 >down 2>&1 || cat down
wait $p; head -n 1 followed
docker ps -aq --filter label=com.docker.compose.project=compose$N`, "ready\nfrom web\nfrom web\n"},
	{"compose up until a container ends", `cd compose$N
docker compose up --abort-on-container-exit --exit-code-from once once >once 2>&1; echo $?
grep -c 'from once' once; docker compose down -t 0 >/dev/null 2>&1`, "3\n1\n"},
}

const composeFile = `services:
  web:
    image: busybox
    command: sh -c "echo from web; echo ready >/tmp/ready; sleep 1000"
  once:
    image: busybox
    command: sh -c "echo from once; exit 3"
`

func (p *proxied) clients(host string) {
	p.Helper()
	p.same("exit of proxy --check", 0, p.helper("proxy", "-H", map[bool]string{true: "default", false: host}[host == "local"], "--certs", p.certs, "--check").Exit)
	p.client(p.ctx(), host, `mkdir ctx$N && head -c 60M /dev/urandom >ctx$N/big && printf 'FROM busybox\nCOPY big /big\nRUN test -s /big\n' >ctx$N/Dockerfile
docker run -d --name box$N busybox sleep 1000`)
	p.Log(p.client(p.ctx(), host, `docker version --format 'docker {{.Client.Version}}, dockerd {{.Server.Version}}'`).Stdout)
	checks := clientChecks
	if nsguest.OtherDocker() != "" {
		p.client(p.ctx(), host, "mkdir compose$N && cat >compose$N/compose.yaml <<'END'\n"+composeFile+"END")
		checks = slices.Concat(checks, composeChecks)
	}
	for _, c := range checks {
		began := time.Now()
		r := p.client(p.ctx(), host, c.script)
		if r.Stdout != c.want {
			p.Errorf("%s at %s: got %q, want %q: %s", c.name, host, r.Stdout, c.want, r.Stderr)
		}
		p.Logf("%s at %s: %v", c.name, host, time.Since(began).Round(10*time.Millisecond))
	}
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
