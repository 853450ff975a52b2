package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// undoRun is one journal in undo's output.
type undoRun struct {
	Machine string      `json:"machine"` // HOST as the user writes it
	Host    string      `json:"host"`
	ID      string      `json:"id"`
	Command string      `json:"command"`
	End     journal.End `json:"end"`
	Changes []string    `json:"changes"`
	Left    []string    `json:"left,omitempty"`
}

func describe(ref target.Ref, j *journal.Journal) undoRun {
	return undoRun{Machine: ref.Arg(), Host: ref.String(), ID: j.ID, Command: j.Command, End: j.End, Changes: j.Changes()}
}

func (a *app) undoList(s site, refs []target.Ref) error {
	runs, unread := []undoRun{}, false
	for _, ref := range refs {
		job, err := a.undoJob(s, ref)
		if err != nil {
			return err
		}
		journals, err := job.Journals(a.ctx)
		switch {
		case len(journals) == 0 && errors.Is(err, fs.ErrPermission):
			return err
		case err != nil:
			a.ui.Say("%v", err)
			unread = true
		}
		for _, j := range journals {
			runs = append(runs, describe(ref, j))
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int       `json:"schema"`
			Runs   []undoRun `json:"runs"`
		}{engine.Schema, runs})
	}
	var lines []string
	for _, r := range runs {
		end := string(r.End)
		if r.End == journal.Open || r.End == journal.Undoing {
			end = "not finished"
		}
		lines = append(lines, fmt.Sprintf("%s  %s  %s", r.Machine, r.ID, end))
		for _, c := range r.Changes {
			lines = append(lines, "    "+c)
		}
	}
	if len(runs) == 0 && !unread {
		a.ui.Say("No repairs recorded")
	}
	a.ui.Lines(lines...)
	return nil
}

// undoDryRun lists what undo would revert, newest change first.
func (a *app) undoDryRun(s site, refs []target.Ref, all bool) error {
	runs := []undoRun{}
	for _, ref := range refs {
		job, err := a.undoJob(s, ref)
		if err != nil {
			return err
		}
		journals, err := job.Journals(a.ctx)
		if err != nil {
			return err
		}
		for _, j := range engine.ToUndo(journals, all) {
			if !j.Undoable() {
				continue // nothing is left to revert; it only was not closed
			}
			run := describe(ref, j)
			run.Changes = remaining(j)
			runs = append(runs, run)
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int       `json:"schema"`
			Runs   []undoRun `json:"would_undo"`
		}{engine.Schema, runs})
	}
	var lines []string
	for _, r := range runs {
		for _, c := range r.Changes {
			lines = append(lines, fmt.Sprintf("[%s] would undo: %s", r.Machine, c))
		}
	}
	if len(lines) == 0 {
		a.ui.Say("nothing to undo")
	}
	a.ui.Lines(lines...)
	return nil
}

// remaining returns the changes of a run that have not been reverted, newest first.
func remaining(j *journal.Journal) []string {
	changes := []string{}
	for _, e := range slices.Backward(j.Entries) {
		if e.Mark != journal.Reverted {
			changes = append(changes, e.Change.String())
		}
	}
	return changes
}

// known returns an error if a machine is neither in the store nor has a journal. A machine that was
// removed from the store may still have one.
func (a *app) known(s site, name string) error {
	_, err := s.store.Load(a.ctx, name)
	if err == nil || isConfigError(err) {
		return nil
	}
	if _, e := s.laptop.ReadDir(a.ctx, journal.Dir(target.MachineState(s.state, s.dir, name))); e == nil {
		return nil
	}
	return err
}

// undoJob describes undo on a docker host.
func (a *app) undoJob(s site, ref target.Ref) (engine.Job, error) {
	if ref.Kind != target.Machine {
		t, err := a.openHost(s, ref)
		if err != nil {
			return engine.Job{}, err
		}
		return a.hostJob(s, ref, t.State(), "undo", nil), nil
	}
	if err := a.known(s, ref.Name); err != nil {
		return engine.Job{}, err
	}
	job := a.machineJob(s, ref.Name, "undo", nil)
	job.Open = func() (*target.Target, error) {
		t, err := a.openHost(s, ref)
		if err != nil {
			// The machine was removed from the store, and what was changed there with it.
			t = a.target(s, store.Machine{Name: ref.Name, StoreDir: s.dir, Removed: true})
		}
		return t, nil
	}
	return job, nil
}
