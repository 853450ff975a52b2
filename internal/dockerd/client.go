package dockerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Client asks a daemon over plain connections: its unix socket, by whatever way.
type Client struct {
	http    http.Client
	base    string // of URLs
	mu      sync.Mutex
	version string // the prefix of paths, once it is known
	known   bool
}

// New returns a client whose connections dial makes.
func New(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{base: "http://docker", http: http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}}
}

// ThroughProxy has connections lead to an HTTP proxy, which forwards each request to addr.
func (c *Client) ThroughProxy(addr string) {
	c.base = "http://" + addr
	c.http.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: addr}, nil }
}

// Kept is the client with one connection for all its questions, until Close.
func (c *Client) Kept() *Client {
	c.http.Transport.(*http.Transport).DisableKeepAlives = false
	return c
}

// Close closes the connection that a client has kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Info is what matters here of GET /info.
type Info struct {
	ServerVersion      string
	LiveRestoreEnabled bool
}

// Container is a running container, or one that is about to be started again.
type Container struct {
	ID         string   `json:"Id"`
	Names      []string // "/web"
	State      string   // "running", "paused", "restarting"; "" from a daemon before Docker 1.13
	Ports      []PortBinding
	Labels     map[string]string
	HostConfig struct{ NetworkMode string }
	// NetworkSettings has the names of the networks that it is in.
	NetworkSettings struct{ Networks map[string]struct{} }
}

// PortBinding is a port of a container as GET /containers/json has it. What is not
// published has no PublicPort.
type PortBinding struct {
	IP          string
	PrivatePort int
	PublicPort  int
	Type        string // "tcp", "udp", "sctp"
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

// Ping asks GET /_ping and returns the API version that the daemon names; "" from one older
// than 1.13.
func (c *Client) Ping(ctx context.Context) (api string, err error) {
	r, body, err := c.fetch(ctx, "/_ping", "/_ping")
	if err != nil {
		return "", err
	}
	return pinged(r, body)
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
	err = c.get(ctx, "/containers/"+url.PathEscape(id)+"/json", &d)
	return d, err
}

// negotiate asks the daemon once for its API version and returns the prefix of all other
// paths: "/v1.52". What is asked here has been the same since API 1.20, so that the daemon's
// own version is right for each: it refuses newer ones, and those before its oldest (API 1.44
// in Docker 29). A path without a version is deprecated; only a daemon before Docker 1.13,
// which does not name its version, needs it.
func (c *Client) negotiate(ctx context.Context) (prefix string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return c.version, nil
	}
	r, body, err := c.fetch(ctx, "/_ping", "/_ping")
	if err != nil {
		return "", err
	}
	api, err := pinged(r, body)
	if err != nil {
		return "", err
	}
	if apiVersion.MatchString(api) {
		c.version = "/v" + api
	}
	c.known = true
	return c.version, nil
}

var apiVersion = regexp.MustCompile(`^1\.\d{1,3}$`)

func (c *Client) get(ctx context.Context, path string, into any) error {
	prefix, err := c.negotiate(ctx)
	if err != nil {
		return err
	}
	r, body, err := c.fetch(ctx, path, prefix+path)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return complaint(path, r, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &NotDockerError{Text: fmt.Sprintf("GET %s: %v", path, err)}
	}
	return nil
}

// fetch is the answer to GET for a path, which errors name without its version.
func (c *Client) fetch(ctx context.Context, path, versioned string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+versioned, nil)
	if err != nil {
		return nil, nil, err
	}
	r, err := c.http.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "malformed HTTP") {
			return nil, nil, &NotDockerError{Text: err.Error()}
		}
		return nil, nil, fmt.Errorf("asking dockerd for %s: %w", path, explain(ctx, err))
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("asking dockerd for %s: %w", path, explain(ctx, err))
	case len(body) > maxBody:
		return nil, nil, &NotDockerError{Text: fmt.Sprintf("GET %s answers more than %d bytes", path, maxBody)}
	}
	return r, body, nil
}
