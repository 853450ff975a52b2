package dockerhost

import (
	"fmt"
	"strings"
)

// Outcome is how a transaction ended.
type Outcome string

const (
	Swapped    Outcome = "swapped"     // dockerd answers with Swap.To
	Restarted  Outcome = "restarted"   // dockerd answers, after a restart or a start
	Already    Outcome = "already"     // nothing had to be done
	Unchanged  Outcome = "unchanged"   // it could not begin, and dockerd was not stopped: disk full, read-only
	Moved      Outcome = "moved"       // the file is neither Swap.From nor Swap.To, and was left alone
	PutBack    Outcome = "rolled-back" // dockerd refused Swap.To and answers with Swap.From
	FailedDown Outcome = "failed-down" // dockerd does not answer, of a swap with either certificate
	// Interrupted means that it was killed again and again; dockerd may be down. The same ID resumes it.
	Interrupted Outcome = "interrupted"
)

// Result is what a transaction did.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // of PutBack and FailedDown: dockerd's last log line
	// File is what the certificate file holds now: "old" (Swap.From), "new" (Swap.To), "other"; "" of a restart.
	File string `json:"file,omitempty"`
	Log  string `json:"log,omitempty"` // dockerd's last log line
	// Containers by name: started again by us; gone (--rm); still down, as "name: error".
	Restarted []string `json:"restarted,omitempty"`
	Lost      []string `json:"lost,omitempty"`
	Failed    []string `json:"failed,omitempty"`
}

// parseResult reads the answer of a transaction's command.
func parseResult(out []byte) (Result, error) {
	f, err := parseFrames(out, "result")
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Outcome: Outcome(f.last("outcome")),
		Reason:  forMessage(strings.TrimSpace(f.text("reason"))),
		File:    f.last("file"), Log: forMessage(f.last("log")),
		Restarted: unique(f["restarted"]), Lost: unique(f["lost"]), Failed: unique(f["failed"]),
	}
	switch r.Outcome {
	case Swapped, Restarted, Already, Unchanged, Moved, PutBack, FailedDown, Interrupted:
		return r, nil
	}
	return Result{}, fmt.Errorf("the docker host reports the outcome %q, which is none", r.Outcome)
}

// unique drops repetitions: a resumed transaction may name a container twice.
func unique(lines []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range lines {
		if !seen[l] {
			seen[l] = true
			out = append(out, forMessage(l))
		}
	}
	return out
}

// DaemonDown is a transaction that left no dockerd answering.
type DaemonDown struct {
	Machine, Log string
	Swap         bool // dockerd was started with both certificates
}

func (e *DaemonDown) Error() string {
	with := ""
	if e.Swap {
		with = " with either certificate"
	}
	return fmt.Sprintf("dockerd on %s does not start%s; its log ends with: %s", e.Machine, with, e.Log)
}

// Err is nil if dockerd on the machine serves what it was to serve. Its text fits a start as well as a swap in
// either direction, but for PutBack, which is a swap to the new certificate.
func (r Result) Err(machine string) error {
	switch r.Outcome {
	case Swapped, Restarted, Already:
		return nil
	case Unchanged:
		return fmt.Errorf("nothing was changed on %s: %s", machine, r.Reason)
	case Moved:
		return fmt.Errorf("the server certificate on %s was changed by another program in the meantime", machine)
	case Interrupted:
		return fmt.Errorf("the change on %s was interrupted: %s", machine, r.Reason)
	case PutBack:
		return fmt.Errorf("dockerd on %s did not start with the new certificate and runs with the old one: %s", machine, r.Reason)
	}
	return &DaemonDown{Machine: machine, Log: r.Log, Swap: r.File != ""}
}
