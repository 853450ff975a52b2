package ports

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindings(t *testing.T) {
	web, db := Port{Container: "web", Number: 8080, Reach: "localhost:8080"}, Port{Container: "db", Number: 5432, Reach: "localhost:5432"}
	lost := Port{Container: "web", Number: 8080}
	held := Port{Container: "web", Number: 8080, Reason: "port 8080 is taken by node (PID 4711)", Taken: true}
	low := Port{Container: "web", Number: 80, Reason: "this user may not listen on port 80"}
	for name, c := range map[string]struct {
		state State
		want  string
	}{
		"nothing is published": {State{On: true, Followed: true}, "ok ports.ok no container publishes a TCP port"},
		"this computer":        {State{Here: true, Ports: []Port{lost}}, "ok ports.ok published on this computer: 8080 (web)"},
		"ports on is not used": {State{Ports: []Port{lost}}, "ok ports.ok published: 8080 (web)"},
		"follow in a terminal, which has not all": {
			State{Followed: true, Away: "timed out", Ports: []Port{held, db}}, "ok ports.ok on localhost: 5432 (db)",
		},
		"follow in a terminal, which has none": {State{Followed: true, Ports: []Port{held}}, "ok ports.ok published: 8080 (web)"},
		"all is well":                          {State{On: true, Followed: true, Ports: []Port{db, web, web, web, web}}, "ok ports.ok on localhost: 5432 (db), 8080 (web), 8080 (web) and 2 more"},
		"the service was stopped": {
			State{On: true, Ports: []Port{lost}},
			"warn ports.not-followed the login service of ports on is not running; not on localhost: 8080 (web) [docker-vpn-helper ports on default]",
		},
		"the service was stopped, and nothing needs it": {
			State{On: true}, "warn ports.not-followed the login service of ports on is not running [docker-vpn-helper ports on default]",
		},
		"taken": {
			State{On: true, Followed: true, Ports: []Port{db, held}},
			"warn ports.taken port 8080 of container web is not on localhost: port 8080 is taken by node (PID 4711) [docker-vpn-helper explain ports.taken]",
		},
		"a low port and one that is late": {
			State{On: true, Followed: true, Ports: []Port{low, lost}},
			"warn ports.unreachable port 80 of container web is not on localhost: this user may not listen on port 80 [docker-vpn-helper ports status default]\n" +
				"warn ports.unreachable port 8080 of container web is not on localhost: it was not picked up [docker-vpn-helper ports status default]",
		},
		"no SSH": {
			State{On: true, Followed: true, Ports: []Port{web}, Away: "timed out"},
			"warn ports.unreachable ports on localhost are reserved, but connections are reset: timed out [docker-vpn-helper ports status default]",
		},
		"no dockerd": {State{On: true, NoDocker: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, f := range c.state.Findings() {
				line := string(f.Status) + " " + f.Code + " " + f.Title
				if h := f.Hint.For("", "default").String(); h != "" {
					line += " [" + h + "]"
				}
				lines = append(lines, line)
			}
			if diff := cmp.Diff(c.want, strings.Join(lines, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
