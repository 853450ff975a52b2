package dockerhost

import (
	"encoding/json"
	"strings"
	"testing"
	"text/template"
)

// The docker client runs an inspection's template over the decoded JSON: by
// itself until 1.9 or so, and in later ones because .Id is no field of their
// structs; those stop at a missing key.
func TestInspectTemplate(t *testing.T) {
	_, rest, _ := strings.Cut(containersScript, "FIELDS='")
	fields, _, _ := strings.Cut(rest, "'")
	before, after, _ := strings.Cut(fields, "REMOVE")
	full := before + "{{if .HostConfig.AutoRemove}}true{{else}}false{{end}}" + after
	if !strings.Contains(containersScript, "{{if .HostConfig.AutoRemove}}true{{else}}false{{end}}") {
		t.Fatal("the script asks otherwise")
	}
	const head = `{"Id":"abc","Name":"/web","State":{"StartedAt":"2024-01-01T00:00:00Z","Paused":false},`
	for name, tt := range map[string]struct{ text, json, want string }{
		"now":            {full, head + `"HostConfig":{"AutoRemove":true},"Config":{"Labels":{"a":"b"}}}`, "2024-01-01T00:00:00Z abc false true own /web"},
		"no_labels":      {full, head + `"HostConfig":{"AutoRemove":false},"Config":{"Labels":null}}`, "2024-01-01T00:00:00Z abc false false own /web"},
		"of_a_swarm":     {full, head + `"HostConfig":{"AutoRemove":false},"Config":{"Labels":{"com.docker.swarm.task.id":"x"}}}`, "2024-01-01T00:00:00Z abc false false managed /web"},
		"docker_1_8":     {full, head + `"HostConfig":{},"Config":{"Labels":{}}}`, "2024-01-01T00:00:00Z abc false false own /web"},
		"without_remove": {before + "false" + after, head + `"HostConfig":{},"Config":{"Labels":{}}}`, "2024-01-01T00:00:00Z abc false false own /web"},
	} {
		for _, option := range []string{"missingkey=default", "missingkey=error"} {
			if option == "missingkey=error" && name == "docker_1_8" {
				continue // that client does not stop, and for others there is the second template
			}
			var v any
			check(t, json.Unmarshal([]byte(tt.json), &v))
			var out strings.Builder
			tmpl, err := template.New("").Option(option).Parse(tt.text)
			check(t, err)
			if err := tmpl.Execute(&out, v); err != nil {
				t.Errorf("%s, %s: %v", name, option, err)
			}
			same(t, name, tt.want, out.String())
		}
	}
}
