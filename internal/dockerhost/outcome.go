package dockerhost

import (
	"fmt"
	"strings"
)

// Outcome is how a transaction ended.
type Outcome string

// The outcomes.
const (
	Swapped    Outcome = "swapped"     // dockerd answers with certificate Swap.To
	Restarted  Outcome = "restarted"   // dockerd answers, after a restart or a start
	Already    Outcome = "already"     // there was nothing to do
	Unchanged  Outcome = "unchanged"   // it could not begin, for example because the disk is full; dockerd was not stopped
	Moved      Outcome = "moved"       // the certificate file is neither Swap.From nor Swap.To and was left as it is
	PutBack    Outcome = "rolled-back" // dockerd refused Swap.To and answers with Swap.From again
	FailedDown Outcome = "failed-down" // dockerd does not answer (after a swap: with neither certificate)
	// Interrupted means that the transaction was killed again and again, and dockerd may be down.
	// The same ID resumes it.
	Interrupted Outcome = "interrupted"
)

// Result is what a transaction did.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // why it did not succeed; after PutBack and FailedDown dockerd's last log line
	// File is the content of the certificate file: "old" (Swap.From), "new" (Swap.To) or "other";
	// "" after a restart.
	File string `json:"file,omitempty"`
	Log  string `json:"log,omitempty"` // dockerd's last log line
	// The names of containers: started again by us; removed (--rm); not running, as "name: error".
	Restarted []string `json:"restarted,omitempty"`
	Lost      []string `json:"lost,omitempty"`
	Failed    []string `json:"failed,omitempty"`
}

// parseResult parses the output of a transaction's command.
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

// unique returns the lines without repetitions: a resumed transaction may list a container twice.
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

// DaemonDown means that dockerd does not answer after a transaction.
type DaemonDown struct {
	Machine, Log string
	Swap         bool // neither the new nor the old certificate helped
}

func (e *DaemonDown) Error() string {
	with := ""
	if e.Swap {
		with = " with either certificate"
	}
	return fmt.Sprintf("dockerd on %s does not start%s; its log ends with: %s", e.Machine, with, e.Log)
}

// Err returns nil if dockerd serves the right certificate, or an error that names the machine. Its
// text fits a start and a swap in either direction; only that of PutBack assumes a swap to the new
// certificate.
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
