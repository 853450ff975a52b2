package fakedockerhost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Container is one container of Dir/containers.json.
type Container struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Image   string `json:"image"`
	Restart string `json:"restart"` // no, always, unless-stopped, on-failure
	Running bool   `json:"running"`
	// Started is when it was last started; a container that keeps running keeps it.
	Started time.Time `json:"started"`
	// ByUser means that a user stopped it, which matters to unless-stopped.
	ByUser bool `json:"by_user,omitempty"`
	Paused bool `json:"paused,omitempty"`
	// Remove is docker run --rm: the container is removed when it stops.
	Remove bool `json:"remove,omitempty"`
	// Ports are published. While the container runs, a program answers at each.
	Ports []Port `json:"ports,omitempty"`
	// HostNetwork means docker run --network host.
	HostNetwork bool `json:"host_network,omitempty"`
}

// AddContainer adds a running container to an installed guest. restart is its restart policy, or
// "rm" for docker run --rm, or "host" for the docker host's own network.
func AddContainer(dir, name, restart string, ports ...Port) error {
	d := &engine{file: filepath.Join(dir, "containers.json")}
	all := d.load()
	sum := sha256.Sum256([]byte(dir + name))
	c := Container{ID: hex.EncodeToString(sum[:]), Name: name, Image: "busybox", Restart: restart, Running: true, Started: time.Now().Add(-2 * time.Hour).UTC(), Ports: ports}
	switch restart {
	case "rm":
		c.Restart, c.Remove = "no", true
	case "host":
		c.Restart, c.HostNetwork = "no", true
	}
	all = append(all, c)
	return d.save(all)
}

// Containers returns the containers of a guest.
func Containers(dir string) []Container {
	return (&engine{file: filepath.Join(dir, "containers.json")}).load()
}

func (d *engine) load() []Container {
	var all []Container
	if data, err := os.ReadFile(d.file); err == nil {
		_ = json.Unmarshal(data, &all)
	}
	return all
}

func (d *engine) save(all []Container) error {
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(d.file+".new", d.file)
}

// startContainers does what dockerd does when it starts without live-restore: it stops what still
// runs, and starts what the restart policy demands.
func (d *engine) startContainers() error {
	if d.liveRestore {
		return nil
	}
	all := slices.DeleteFunc(d.load(), func(c Container) bool { return c.Remove })
	for i := range all {
		c := &all[i]
		c.Paused = false
		wanted := c.Restart == "always" || c.Restart == "unless-stopped" && !c.ByUser
		c.Running = wanted
		if wanted {
			c.Started = time.Now().UTC()
		}
	}
	return d.save(all)
}

func (d *engine) stopContainers() error {
	all := slices.DeleteFunc(d.load(), func(c Container) bool { return c.Remove })
	for i := range all {
		all[i].Running, all[i].Paused = false, false
	}
	return d.save(all)
}

// list answers GET /containers/json.
func (d *engine) list(allFlag string) []map[string]any {
	out := []map[string]any{}
	for _, c := range d.load() {
		if !c.Running && allFlag != "1" && allFlag != "true" {
			continue
		}
		network := "default"
		if c.HostNetwork {
			network = "host"
		}
		out = append(out, map[string]any{
			"Id": c.ID, "Names": []string{"/" + c.Name}, "Image": c.Image, "ImageID": "sha256:" + c.ID, "Command": "sleep 1d",
			"Created": c.Started.Unix(), "State": c.state(), "Status": c.status(), "Ports": c.bindings(),
			"HostConfig": map[string]any{"NetworkMode": network},
		})
	}
	return out
}

func (c Container) state() string {
	switch {
	case c.Paused:
		return "paused"
	case c.Running:
		return "running"
	}
	return "exited"
}

func (c Container) status() string {
	if !c.Running {
		return "Exited (137) 2 hours ago"
	}
	if up := time.Since(c.Started); up < time.Minute {
		return fmt.Sprintf("Up %d seconds", max(2, int(up.Seconds())))
	}
	return "Up 2 hours"
}

// inspect answers GET /containers/ID/json.
func (c Container) inspect() map[string]any {
	exit := 0
	if !c.Running {
		exit = 137
	}
	return map[string]any{
		"Id": c.ID, "Name": "/" + c.Name, "Created": c.Started.Format(time.RFC3339Nano), "Image": "sha256:" + c.ID,
		"State": map[string]any{
			"Status": c.state(), "Running": c.Running, "Paused": c.Paused, "Restarting": false, "Dead": false, "ExitCode": exit,
			"StartedAt": c.Started.Format(time.RFC3339Nano),
		},
		"HostConfig": map[string]any{"RestartPolicy": map[string]any{"Name": c.Restart, "MaximumRetryCount": 0}, "AutoRemove": c.Remove},
		"Config":     map[string]any{"Image": c.Image, "Hostname": c.ID[:12]},
	}
}

// container answers /containers/ID/VERB.
func (d *engine) container(w http.ResponseWriter, r *http.Request, id, verb string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.load()
	for i := range all {
		c := &all[i]
		if c.Name != id && !(len(id) >= 4 && strings.HasPrefix(c.ID, id)) {
			continue
		}
		switch {
		case verb == "json" && r.Method == http.MethodGet:
			answer(w, c.inspect())
			return
		case verb == "start" && r.Method == http.MethodPost && c.Running, verb == "stop" && r.Method == http.MethodPost && !c.Running:
			w.WriteHeader(http.StatusNotModified)
			return
		case verb == "start" && r.Method == http.MethodPost:
			c.Running, c.ByUser, c.Started = true, false, time.Now().UTC()
		case (verb == "stop" || verb == "kill") && r.Method == http.MethodPost:
			c.Running, c.ByUser, c.Paused = false, true, false
		case (verb == "pause" || verb == "unpause") && r.Method == http.MethodPost && c.Running:
			c.Paused = verb == "pause"
		default:
			apiError(w, http.StatusNotFound, "page not found")
			return
		}
		if err := d.save(all); err != nil {
			apiError(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	apiError(w, http.StatusNotFound, "No such container: "+id)
}
