package fakelaptop

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// dockerContext is docker context: ls with one JSON object a line, create and rm -f,
// without TLS files.
func dockerContext(c *call, args []string) int {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch {
	case verb == "ls":
		contexts := maps.Clone(c.w.Contexts)
		if contexts == nil {
			contexts = map[string]string{}
		}
		contexts["default"] = "unix:///var/run/docker.sock"
		for _, name := range slices.Sorted(maps.Keys(contexts)) {
			line, err := json.Marshal(map[string]any{"Name": name, "DockerEndpoint": contexts[name], "Current": name == "default"})
			if err != nil {
				return c.fail(1, "%v", err)
			}
			c.printf("%s\n", line)
		}
		return 0
	case verb == "create" && len(args) > 2:
		if c.w.Contexts[args[1]] != "" {
			return c.fail(1, "context %q already exists", args[1])
		}
		endpoint, _, _ := strings.Cut(strings.TrimPrefix(args[len(args)-1], "host="), ",")
		return c.setContext(args[1], endpoint)
	case verb == "rm" && len(args) == 3 && args[1] == "-f":
		return c.setContext(args[2], "")
	}
	return c.fail(1, "docker context %s: not a part of the stand-in", strings.Join(args, " "))
}

// setContext points a context at an endpoint, or removes it for "".
func (c *call) setContext(name, endpoint string) int {
	err := Update(c.file, func(w *State) error {
		if w.Contexts == nil {
			w.Contexts = map[string]string{}
		}
		w.Contexts[name] = endpoint
		if endpoint == "" {
			delete(w.Contexts, name)
		}
		return nil
	})
	if err != nil {
		return c.fail(1, "%v", err)
	}
	c.printf("%s\n", name)
	return 0
}
