package main

import (
	"encoding/json"
	"errors"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// follow pastes what doctor advises for a finding, and looks again: nothing is worse then,
// and the finding is gone.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: follow MACHINE CODE")
	}
	before := doctor(ts, args[0])
	hint := before.hint(args[1])
	if hint == "" {
		ts.Fatalf("no finding %s with a hint", args[1])
	}
	ts.Check(ts.Exec("sh", "-ec", hint))
	after := doctor(ts, args[0])
	if rank(after.Status) > rank(before.Status) || after.hint(args[1]) != "" {
		ts.Fatalf("%s led from %s, %s to %s, %s", hint, before.Status, before.Cause, after.Status, after.Cause)
	}
}

func (r report) hint(code string) string {
	for _, l := range r.Layers {
		for _, f := range l.Findings {
			if f.Code == code {
				return f.Hint
			}
		}
	}
	return ""
}

// report is what follow reads of doctor's JSON.
type report struct {
	Status engine.Status `json:"status"`
	Cause  string        `json:"cause"`
	Layers []struct {
		Findings []struct {
			Code string `json:"code"`
			Hint string `json:"hint"`
		} `json:"findings"`
	} `json:"layers"`
}

func doctor(ts *testscript.TestScript, machine string) (r report) {
	var exit *exec.ExitError
	if err := ts.Exec("docker-vpn-helper", "doctor", machine, "--json"); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("doctor: %v", err)
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &r))
	return r
}

func rank(s engine.Status) int {
	for i, other := range []engine.Status{engine.OK, engine.Skipped, engine.Warn, engine.Blocked, engine.Unknown, engine.Fail} {
		if s == other {
			return i
		}
	}
	return -1
}
