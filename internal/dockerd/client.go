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

// Client is a client of the Docker API over connections without TLS, such as those to dockerd's
// unix socket.
type Client struct {
	http    http.Client
	base    string // the start of all URLs
	mu      sync.Mutex
	version string // the prefix of paths, "/v1.52"; set if known is
	known   bool
}

// New returns a client whose connections dial makes.
func New(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{base: "http://docker", http: http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}}
}

// ThroughProxy declares that the connections lead to an HTTP proxy, which forwards each request to
// addr.
func (c *Client) ThroughProxy(addr string) {
	c.base = "http://" + addr
	c.http.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: addr}, nil }
}

// Kept makes the client use one connection for all requests until Close, and returns it.
func (c *Client) Kept() *Client {
	c.http.Transport.(*http.Transport).DisableKeepAlives = false
	return c
}

// Close closes the connection that was kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Info is the part of GET /info that we use.
type Info struct {
	ServerVersion      string
	LiveRestoreEnabled bool
}

// Container is a container that is running or about to be restarted.
type Container struct {
	ID         string   `json:"Id"`
	Names      []string // "/web"
	State      string   // "running", "paused", "restarting"; "" from a daemon before Docker 1.13
	Ports      []PortBinding
	Labels     map[string]string
	HostConfig struct{ NetworkMode string }
	// NetworkSettings contains the names of its networks.
	NetworkSettings struct{ Networks map[string]struct{} }
}

// PortBinding is a port of a container in GET /containers/json. PublicPort is 0 if the port is not
// published.
type PortBinding struct {
	IP          string
	PrivatePort int
	PublicPort  int
	Type        string // "tcp", "udp", "sctp"
}

// Name returns the container's name, or the start of its ID if it has none.
func (c Container) Name() string {
	for _, n := range c.Names {
		// The names of links contain a second slash.
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return c.ID[:min(12, len(c.ID))]
}

// Detail is the part of GET /containers/ID/json that we use.
type Detail struct {
	HostConfig struct{ AutoRemove bool }
}

// Ping sends GET /_ping and returns dockerd's API version; "" before Docker 1.13.
func (c *Client) Ping(ctx context.Context) (api string, err error) {
	r, body, err := c.fetch(ctx, "/_ping", "/_ping")
	if err != nil {
		return "", err
	}
	return parsePing(r, body)
}

// Info returns dockerd's description of itself.
func (c *Client) Info(ctx context.Context) (i Info, err error) {
	err = c.get(ctx, "/info", &i)
	return i, err
}

// Containers returns the running containers, the newest first.
func (c *Client) Containers(ctx context.Context) (all []Container, err error) {
	err = c.get(ctx, "/containers/json", &all)
	return all, err
}

// Inspect returns details of one container.
func (c *Client) Inspect(ctx context.Context, id string) (d Detail, err error) {
	err = c.get(ctx, "/containers/"+url.PathEscape(id)+"/json", &d)
	return d, err
}

// negotiate returns the prefix of all paths except /_ping, "/v1.52". It asks dockerd for its API
// version once. dockerd refuses versions newer than its own or older than its oldest (API 1.44 in
// Docker 29), so its own version is safe; what we use has not changed since API 1.20. Paths without
// a version are deprecated. Only dockerd before Docker 1.13, which does not report its version,
// needs them.
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
	api, err := parsePing(r, body)
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
		return answerError(path, r, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &NotDockerError{Text: fmt.Sprintf("GET %s: %v", path, err)}
	}
	return nil
}

// fetch sends a GET request and returns the answer and its body. Errors name path, which has no
// version.
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
