// Package dockercli runs the laptop's docker command, and knows its arguments, what it
// prints, and which daemons it can talk to. Formats are those
// of docker/cli 19.03 and later, the first with contexts; tried with 28.2.
package dockercli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Program is the command's name; Paths are where it is when it is not in PATH:
// Homebrew's, and Docker Desktop's own.
const Program = "docker"

// Paths are where the docker command is when it is not in PATH.
func Paths(os string) []string {
	if os == "darwin" {
		return []string{"/usr/local/bin/docker", "/opt/homebrew/bin/docker", "/Applications/Docker.app/Contents/Resources/bin/docker"}
	}
	return []string{"/usr/bin/docker", "/usr/local/bin/docker", "/snap/bin/docker"}
}

// Env is docker's environment, as host.Cmd.Env has it: without the variables that
// outrank what is asked (docker/cli, cli/command/cli.go, resolveContextName), and with
// config as the configuration directory; "" is the usual one.
func Env(config string) []string {
	env := []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG"}
	if config != "" {
		env[len(env)-1] = "DOCKER_CONFIG=" + config
	}
	return env
}

// ConfigDir is the directory that the caller's environment names for docker's
// configuration, absolute; "" is the usual one.
func ConfigDir(getenv func(string) string) (string, error) {
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		return "", nil
	}
	return filepath.Abs(dir)
}

// ContextName is the name of a machine's context. docker keeps "default" for
// itself and wants at least two characters (docker/cli, cli/context/store,
// restrictedNamePattern).
func ContextName(machine string) string {
	if machine == "default" || len(machine) < 2 {
		return "machine-" + machine
	}
	return machine
}

// Listed is a line of `docker context ls`.
type Listed struct {
	Name     string
	Endpoint string
	Current  bool
}

// ListContexts lists the contexts, one JSON object a line.
func ListContexts() []string { return []string{"context", "ls", "--format", "{{json .}}"} }

// ParseList reads what ListContexts prints.
func ParseList(out []byte) ([]Listed, error) {
	var all []Listed
	for line := range bytes.Lines(out) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var l struct {
			Name, DockerEndpoint string
			Current              bool
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, fmt.Errorf("reading docker's list of contexts: %w", err)
		}
		if l.Name == "" {
			return nil, errors.New("reading docker's list of contexts: one has no name")
		}
		all = append(all, Listed{Name: l.Name, Endpoint: l.DockerEndpoint, Current: l.Current})
	}
	return all, nil
}

// Context is a docker context in full.
type Context struct {
	Name       string
	Host       string
	SkipVerify bool
	// Files are the TLS files that it has, "ca.pem", and TLSDir is where.
	Files  []string
	TLSDir string
}

// InspectContext describes one context.
func InspectContext(name string) []string { return []string{"context", "inspect", name} }

// ParseContext reads what InspectContext prints.
func ParseContext(out []byte) (Context, error) {
	var all []struct {
		Name      string
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
		TLSMaterial map[string][]string
		Storage     struct{ TLSPath string }
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return Context{}, fmt.Errorf("reading a docker context: %w", err)
	}
	if len(all) != 1 {
		return Context{}, fmt.Errorf("reading a docker context: docker shows %d", len(all))
	}
	c := all[0]
	e := c.Endpoints["docker"]
	return Context{
		Name: c.Name, Host: e.Host, SkipVerify: e.SkipTLSVerify,
		Files: c.TLSMaterial["docker"], TLSDir: filepath.Join(c.Storage.TLSPath, "docker"),
	}, nil
}

// TLSFiles are the files that docker takes from a directory of certificates.
func TLSFiles() []string { return []string{"ca.pem", "cert.pem", "key.pem"} }

// The functions below are arguments of docker.

// CreateContextArgs make a context for an endpoint with the TLS files of a directory,
// which docker copies.
func CreateContextArgs(name, description, url, dir string) []string {
	return []string{"context", "create", name, "--description", description, "--docker", endpoint(url, dir)}
}

// UpdateContextArgs do the same to one that is there; its description stays.
func UpdateContextArgs(name, url, dir string) []string {
	return []string{"context", "update", name, "--docker", endpoint(url, dir)}
}

// endpoint is a value of --docker: key=value pairs in one line of CSV (spf13/pflag,
// stringToString).
func endpoint(url, dir string) string {
	fields := []string{"host=" + url}
	for _, f := range TLSFiles() {
		fields = append(fields, strings.TrimSuffix(f, ".pem")+"="+filepath.Join(dir, f))
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a strings.Builder takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// UseContextArgs make a context the one that docker uses by default.
func UseContextArgs(name string) []string { return []string{"context", "use", name} }

// RemoveContextArgs remove a context, the current one too: docker falls back to its default.
func RemoveContextArgs(name string) []string { return []string{"context", "rm", "-f", name} }

// ExportContextArgs write a context, keys included, to stdout.
func ExportContextArgs(name string) []string { return []string{"context", "export", name, "-"} }

// ImportContextArgs make a context of that again, from stdin.
func ImportContextArgs(name string) []string { return []string{"context", "import", name, "-"} }
