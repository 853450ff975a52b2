package fakedockerhost

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// engine is the guest's Docker Engine API, as far as the program uses it, over TLS and over the
// Unix socket.
type engine struct {
	dir         string
	spec        Spec
	file        string // containers
	liveRestore bool
	published   *publisher
	mu          sync.Mutex
}

// ServeHTTP implements http.Handler.
func (d *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if _, on := Fault(d.dir, "not-docker"); on && r.TLS == nil && addr != nil && addr.Network() == "tcp" {
		w.Header().Set("Server", "nginx")
		http.Error(w, "<html><head><title>404 Not Found</title></head></html>", http.StatusNotFound)
		return
	}
	if _, on := Fault(d.dir, "api-hang"); on {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Api-Version", d.spec.API)
	w.Header().Set("Docker-Experimental", "false")
	w.Header().Set("Server", "Docker/"+d.spec.Engine+" (linux)")
	path, ok := d.unversioned(w, r.URL.Path)
	if !ok {
		return
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/_ping":
		_, _ = w.Write([]byte("OK"))
	case path == "/version":
		answer(w, d.version())
	case path == "/info":
		answer(w, d.info())
	case path == "/containers/json":
		answer(w, d.list(r.URL.Query().Get("all")))
	case path == "/events":
		d.published.events(w, r)
	case len(parts) == 3 && parts[0] == "containers":
		d.container(w, r, parts[1], parts[2])
	default:
		apiError(w, http.StatusNotFound, "page not found")
	}
}

// oldest returns the oldest API version that the engine supports: Docker 29 dropped those before
// 1.44.
func (d *engine) oldest() string {
	if major, _, _ := strings.Cut(d.spec.Engine, "."); len(major) == 2 && major >= "29" {
		return "1.44"
	}
	return "1.12"
}

// unversioned removes "/v1.39" from a path, and refuses versions that are too new or too old, with
// dockerd's words.
func (d *engine) unversioned(w http.ResponseWriter, path string) (string, bool) {
	if !strings.HasPrefix(path, "/v") {
		return path, true
	}
	version, rest, found := strings.Cut(path[2:], "/")
	if !found || !strings.Contains(version, ".") {
		return path, true
	}
	if minor(version) > minor(d.spec.API) {
		apiError(w, http.StatusBadRequest, fmt.Sprintf("client version %s is too new. Maximum supported API version is %s", version, d.spec.API))
		return "", false
	}
	if minor(version) < minor(d.oldest()) {
		apiError(w, http.StatusBadRequest, fmt.Sprintf("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", version, d.oldest()))
		return "", false
	}
	return "/" + rest, true
}

func minor(version string) int {
	_, m, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(m)
	return n
}

func (d *engine) version() map[string]any {
	return map[string]any{
		"Version": d.spec.Engine, "ApiVersion": d.spec.API, "MinAPIVersion": d.oldest(),
		"Os": "linux", "Arch": "amd64", "KernelVersion": "4.14.92-boot2docker", "GoVersion": "go1.10.6", "GitCommit": "4c52b90",
	}
}

func (d *engine) info() map[string]any {
	all := d.load()
	running := 0
	for _, c := range all {
		if c.Running {
			running++
		}
	}
	os := "Boot2Docker " + d.spec.Engine + " (TCL 8.2.1)"
	if d.spec.Style == Systemd {
		os = "Debian GNU/Linux 12 (bookworm)"
	}
	return map[string]any{
		"ID": "LAB:" + strings.ToUpper(d.spec.Name), "Name": d.spec.Name, "ServerVersion": d.spec.Engine,
		"LiveRestoreEnabled": d.liveRestore, "OperatingSystem": os, "OSType": "linux", "Architecture": "x86_64",
		"Containers": len(all), "ContainersRunning": running, "ContainersPaused": 0, "ContainersStopped": len(all) - running,
		"Images": 1, "Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "NCPU": 1, "MemTotal": 1 << 30,
		"Labels": []string{"provider=virtualbox"},
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func apiError(w http.ResponseWriter, code int, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": msg})
}
