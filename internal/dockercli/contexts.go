// Package dockercli runs the laptop's docker command. It knows its arguments, its output, and with
// which daemons it can talk. The formats are those of docker/cli 19.03, the first version with
// contexts, and later; tested with 28.2.
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

// Program is the command's name.
const Program = "docker"

// Paths returns where Homebrew, Docker Desktop and distributions install the docker command, which
// may not be in PATH.
func Paths(os string) []string {
	if os == "darwin" {
		return []string{"/usr/local/bin/docker", "/opt/homebrew/bin/docker", "/Applications/Docker.app/Contents/Resources/bin/docker"}
	}
	return []string{"/usr/bin/docker", "/usr/local/bin/docker", "/snap/bin/docker"}
}

// Env returns changes of docker's environment, in the form of host.Cmd.Env. They remove the
// variables that take precedence over our arguments (docker/cli, cli/command/cli.go,
// resolveContextName), and set the configuration directory; "" means the default one.
func Env(config string) []string {
	env := []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG"}
	if config != "" {
		env[len(env)-1] = "DOCKER_CONFIG=" + config
	}
	return env
}

// ConfigDir returns the absolute path of the configuration directory that the caller's environment
// names for docker; "" if it names none.
func ConfigDir(getenv func(string) string) (string, error) {
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		return "", nil
	}
	return filepath.Abs(dir)
}

// ContextName returns the name of a machine's docker context. docker reserves "default", and
// requires at least two characters (docker/cli, cli/context/store, restrictedNamePattern).
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

// ListContextsArgs returns the arguments that list the contexts, one JSON object a line.
func ListContextsArgs() []string { return []string{"context", "ls", "--format", "{{json .}}"} }

// ParseList parses the output of ListContextsArgs.
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

// Context is a docker context with its TLS files.
type Context struct {
	Name       string
	Host       string
	SkipVerify bool
	// Files are the names of its TLS files, such as "ca.pem". TLSDir is their directory.
	Files  []string
	TLSDir string
}

// InspectContextArgs returns the arguments that describe one context.
func InspectContextArgs(name string) []string { return []string{"context", "inspect", name} }

// ParseContext parses the output of InspectContextArgs.
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

// TLSFiles returns the names of the files that docker reads from a directory of certificates.
func TLSFiles() []string { return []string{"ca.pem", "cert.pem", "key.pem"} }

// The functions below return arguments that change contexts.

// CreateContextArgs creates a context for an endpoint. docker copies the TLS files of dir into it.
func CreateContextArgs(name, description, url, dir string) []string {
	return []string{"context", "create", name, "--description", description, "--docker", endpoint(url, dir)}
}

// UpdateContextArgs does the same to an existing context, whose description stays.
func UpdateContextArgs(name, url, dir string) []string {
	return []string{"context", "update", name, "--docker", endpoint(url, dir)}
}

// endpoint returns a value for --docker: key=value pairs in one line of CSV (spf13/pflag,
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

// UseContextArgs makes a context the current one.
func UseContextArgs(name string) []string { return []string{"context", "use", name} }

// RemoveContextArgs removes a context, even the current one. docker then uses its default.
func RemoveContextArgs(name string) []string { return []string{"context", "rm", "-f", name} }

// ExportContextArgs writes a context, including its keys, to stdout.
func ExportContextArgs(name string) []string { return []string{"context", "export", name, "-"} }

// ImportContextArgs creates a context from such an export on stdin.
func ImportContextArgs(name string) []string { return []string{"context", "import", name, "-"} }
