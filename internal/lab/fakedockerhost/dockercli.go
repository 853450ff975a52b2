package fakedockerhost

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"text/template"
)

// Daemon is the dockerd to which a docker command connects.
type Daemon struct {
	HTTP    *http.Client
	URL     string // "http://docker", "https://localhost:2376"
	Shown   string // its name in errors
	Version string // of the client
}

// dockerCLI is the guest's docker command, over dockerd's Unix socket.
func dockerCLI(dir string, args []string, stdout, stderr io.Writer) int {
	spec, _ := readSpec(dir)
	d := Daemon{URL: "http://docker", Shown: "unix:///var/run/docker.sock", Version: spec.Engine}
	d.HTTP = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var nd net.Dialer
			return nd.DialContext(ctx, "unix", filepath.Join(dir, "root", "run", "docker.sock"))
		},
	}}
	return d.CLI(args, stdout, stderr)
}

// CLI implements a docker command: version, info, ps, inspect, start, stop, pause, with -f and
// --format templates of the API's fields. It returns the exit status.
func (d Daemon) CLI(args []string, stdout, stderr io.Writer) int {
	c := &dockerClient{daemon: d, out: stdout}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "--version" || args[0] == "-v":
			fmt.Fprintf(stdout, "Docker version %s, build 4c52b90\n", d.Version)
			return 0
		case (args[0] == "-H" || args[0] == "--host") && len(args) > 1:
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "Usage:  docker COMMAND")
		return 1
	}
	verb, rest := args[0], args[1:]
	if verb == "container" && len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	if err := c.run(verb, rest); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

type dockerClient struct {
	daemon  Daemon
	out     io.Writer
	format  string
	quiet   bool
	all     bool
	noTrunc bool
	filters []string
	names   []string
}

func (c *dockerClient) run(verb string, args []string) error {
	c.parse(args)
	switch verb {
	case "version", "info":
		var v map[string]any
		if err := c.call(http.MethodGet, "/"+verb, &v); err != nil {
			return err
		}
		if verb == "version" {
			v = map[string]any{"Client": v, "Server": v}
		}
		if c.format == "" {
			c.format = "{{range $k, $v := .}}{{$k}}: {{$v}}\n{{end}}"
		}
		return c.print(v)
	case "ps", "ls":
		return c.ps()
	case "inspect":
		if c.format == "" {
			c.format = "{{json .}}"
		}
		return c.each(func(name string) error {
			var v map[string]any
			if err := c.call(http.MethodGet, "/containers/"+name+"/json", &v); err != nil {
				return err
			}
			return c.print(v)
		})
	case "start", "stop", "kill", "pause", "unpause":
		return c.each(func(name string) error {
			err := c.call(http.MethodPost, "/containers/"+name+"/"+verb, nil)
			if err == nil {
				fmt.Fprintln(c.out, name)
			}
			return err
		})
	}
	return fmt.Errorf("docker: '%s' is not a docker command", verb)
}

// each calls work for every container, even if one fails, as docker 20.10 and 28.2 do.
func (c *dockerClient) each(work func(name string) error) error {
	var failed error
	for _, name := range c.names {
		failed = errors.Join(failed, work(name))
	}
	return failed
}

func (c *dockerClient) parse(args []string) {
	for i := 0; i < len(args); i++ {
		name, value, inline := strings.Cut(args[i], "=")
		next := func() string {
			if !inline && i+1 < len(args) {
				i++
				return args[i]
			}
			return value
		}
		switch name {
		case "-f", "--format", "--filter":
			if v := next(); name == "--filter" || name == "-f" && !strings.Contains(v, "{{") {
				c.filters = append(c.filters, v)
			} else {
				c.format = v
			}
		case "--type", "-t", "--time":
			next()
		case "-q", "--quiet":
			c.quiet = true
		case "-a", "--all":
			c.all = true
		case "-aq", "-qa":
			c.quiet, c.all = true, true
		case "--no-trunc":
			c.noTrunc = true
		default:
			if !strings.HasPrefix(args[i], "-") {
				c.names = append(c.names, args[i])
			}
		}
	}
}

func (c *dockerClient) ps() error {
	path := "/containers/json"
	if c.all {
		path += "?all=1"
	}
	var list []map[string]any
	if err := c.call(http.MethodGet, path, &list); err != nil {
		return err
	}
	if c.format == "" && !c.quiet {
		fmt.Fprintf(c.out, "%-15s%-12s%-28s%s\n", "CONTAINER ID", "IMAGE", "STATUS", "NAMES")
	}
	for _, v := range list {
		id, _ := v["Id"].(string)
		if !c.noTrunc {
			id = id[:12]
		}
		names, _ := v["Names"].([]any)
		name, _ := names[0].(string)
		row := map[string]any{"ID": id, "Names": strings.TrimPrefix(name, "/"), "Image": v["Image"], "Status": v["Status"], "State": v["State"], "Ports": ""}
		if !matches(row, c.filters) {
			continue
		}
		format := c.format
		switch {
		case c.quiet:
			format = "{{.ID}}"
		case format == "":
			format = `{{printf "%-15s%-12s%-28s%s" .ID .Image .Status .Names}}`
		}
		if err := (&dockerClient{out: c.out, format: format}).print(row); err != nil {
			return err
		}
	}
	return nil
}

func matches(row map[string]any, filters []string) bool {
	for _, f := range filters {
		key, want, _ := strings.Cut(f, "=")
		switch key {
		case "status":
			if row["State"] != want {
				return false
			}
		case "name":
			if name, _ := row["Names"].(string); !strings.Contains(name, want) {
				return false
			}
		}
	}
	return true
}

func (c *dockerClient) print(v any) error {
	t, err := template.New("format").Funcs(template.FuncMap{
		"json": func(v any) (string, error) {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			err := e.Encode(v)
			return strings.TrimSuffix(b.String(), "\n"), err
		},
		"join": strings.Join, "lower": strings.ToLower, "upper": strings.ToUpper,
	}).Parse(strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(c.format))
	if err != nil {
		return fmt.Errorf("template parsing error: %w", err)
	}
	if err := t.Execute(c.out, v); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out)
	return err
}

// call makes one request.
func (c *dockerClient) call(method, path string, into any) error {
	req, err := http.NewRequest(method, c.daemon.URL+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.daemon.HTTP.Do(req)
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("error during connect: %w", err)
	case err != nil:
		//lint:ignore ST1005 docker's words
		return fmt.Errorf("Cannot connect to the Docker daemon at %s. Is the docker daemon running?", c.daemon.Shown)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		var e struct{ Message string }
		_ = json.NewDecoder(resp.Body).Decode(&e)
		//lint:ignore ST1005 docker's words
		return fmt.Errorf("Error response from daemon: %s", e.Message)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
