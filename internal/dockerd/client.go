package dockerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Client asks a daemon over plain connections: its unix socket, by whatever way.
type Client struct{ http http.Client }

// New makes a client that dials as it is told. Paths carry no version, so that
// every daemon answers in its own (API 1.20 and later).
func New(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{http: http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}}
}

// Info is what matters here of GET /info.
type Info struct {
	ID                 string
	Name               string
	ServerVersion      string
	LiveRestoreEnabled bool
}

// Container is a running container.
type Container struct {
	ID    string   `json:"Id"`
	Names []string // "/web"
	Image string
	State string // "running", "paused"; "" before API 1.23
}

// Name is the container's name as people know it.
func (c Container) Name() string {
	for _, n := range c.Names {
		// Names of links hold a second slash.
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return c.ID[:min(12, len(c.ID))]
}

// Detail is what matters here of a container's inspection.
type Detail struct {
	Name       string
	HostConfig struct {
		AutoRemove    bool
		NetworkMode   string
		RestartPolicy struct{ Name string }
	}
	State struct {
		Running, Paused bool
		StartedAt       string
	}
}

// Info asks for the daemon's description.
func (c *Client) Info(ctx context.Context) (i Info, err error) {
	err = c.get(ctx, "/info", &i)
	return i, err
}

// Containers lists those that run, the newest first.
func (c *Client) Containers(ctx context.Context) (all []Container, err error) {
	err = c.get(ctx, "/containers/json", &all)
	return all, err
}

// Inspect describes one container.
func (c *Client) Inspect(ctx context.Context, id string) (d Detail, err error) {
	err = c.get(ctx, "/containers/"+id+"/json", &d)
	return d, err
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return err
	}
	r, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking dockerd for %s: %w", path, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("asking dockerd for %s: %w", path, err)
	}
	if r.StatusCode != http.StatusOK {
		return &NotDockerError{Text: fmt.Sprintf("GET %s answers %s", path, r.Status)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &NotDockerError{Text: fmt.Sprintf("GET %s: %v", path, err)}
	}
	return nil
}
