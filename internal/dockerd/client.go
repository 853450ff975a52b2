package dockerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	ServerVersion      string
	LiveRestoreEnabled bool
}

// Container is a running container.
type Container struct {
	ID    string   `json:"Id"`
	Names []string // "/web"
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
	HostConfig struct{ AutoRemove bool }
}

// APIError is a complaint of the daemon's.
type APIError struct {
	Path    string
	Status  int
	Message string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("dockerd answers %s with %d: %s", e.Path, e.Status, e.Message)
}

// pinged reads an answer to GET /_ping. dockerd itself may refuse, where a plugin
// authorizes or something in it is broken.
func pinged(r *http.Response, body []byte) (api string, err error) {
	switch {
	case r.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "OK":
		return r.Header.Get("Api-Version"), nil
	case r.StatusCode != http.StatusOK && fromDocker(r):
		return "", complaint("/_ping", r, body)
	}
	return "", &NotDockerError{Text: "GET /_ping answers " + r.Status}
}

// fromDocker reports whether dockerd has answered: only it names itself so.
func fromDocker(r *http.Response) bool { return strings.HasPrefix(r.Header.Get("Server"), "Docker/") }

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
	err = c.get(ctx, "/containers/"+url.PathEscape(id)+"/json", &d)
	return d, err
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return err
	}
	r, err := c.http.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "malformed HTTP") {
			return &NotDockerError{Text: err.Error()}
		}
		return fmt.Errorf("asking dockerd for %s: %w", path, explain(ctx, err))
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return fmt.Errorf("asking dockerd for %s: %w", path, explain(ctx, err))
	case len(body) > maxBody:
		return &NotDockerError{Text: fmt.Sprintf("GET %s answers more than %d bytes", path, maxBody)}
	case r.StatusCode != http.StatusOK:
		return complaint(path, r, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &NotDockerError{Text: fmt.Sprintf("GET %s: %v", path, err)}
	}
	return nil
}

// complaint is an answer that is not a success: in JSON from API 1.24 on, before
// that a line of text.
func complaint(path string, r *http.Response, body []byte) error {
	var m struct{ Message string }
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		return &APIError{Path: path, Status: r.StatusCode, Message: m.Message}
	}
	if fromDocker(r) {
		text := strings.Join(strings.Fields(string(body)), " ")
		return &APIError{Path: path, Status: r.StatusCode, Message: text[:min(len(text), 300)]}
	}
	return &NotDockerError{Text: fmt.Sprintf("GET %s answers %s", path, r.Status)}
}
