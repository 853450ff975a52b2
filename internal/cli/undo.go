package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

func (a *app) undoCmd() *cobra.Command {
	var list, all bool
	cmd := &cobra.Command{
		Use:   "undo [MACHINE]",
		Short: "Take back what the newest run changed",
		Example: `  docker-vpn-helper undo default
  docker-vpn-helper undo --all`,
		Args: oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return usage("--all takes no machine")
			}
			s, err := a.site()
			if err != nil {
				return err
			}
			var names []string
			if all {
				if names, err = a.journaled(s); err != nil {
					return err
				}
			} else {
				name, err := a.machineName(s, args)
				if err != nil {
					return err
				}
				names = []string{name}
			}
			if list {
				return a.undoList(s, names)
			}
			return a.undo(s, names, all)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "show the journal and change nothing")
	cmd.Flags().BoolVar(&all, "all", false, "take everything back, on every machine")
	return cmd
}

// journaled names the machines of the store that have a journal, whether or not they
// are still in the store.
func (a *app) journaled(s site) ([]string, error) {
	dir := filepath.Join(world.StoreState(s.state, s.dir), "machines")
	machines, err := s.laptop.ReadDir(a.ctx, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	var names []string
	for _, m := range machines {
		switch _, err := s.laptop.ReadDir(a.ctx, filepath.Join(dir, m.Name(), "journal")); {
		case err == nil:
			names = append(names, m.Name())
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("listing journals: %w", err)
		}
	}
	return names, nil
}

// undoRun is one journal in undo's output.
type undoRun struct {
	Machine string    `json:"machine"`
	ID      string    `json:"id"`
	Command string    `json:"command"`
	End     stack.End `json:"end"`
	Changes []string  `json:"changes"`
	Left    []string  `json:"left,omitempty"`
}

func describe(machine string, j *stack.Journal) undoRun {
	return undoRun{Machine: machine, ID: j.ID, Command: j.Command, End: j.End, Changes: j.Changes()}
}

func (a *app) undoList(s site, names []string) error {
	runs := []undoRun{}
	for _, name := range names {
		if err := a.known(s, name); err != nil {
			return err
		}
		journals, err := stack.Journals(a.ctx, s.laptop, filepath.Join(world.MachineState(s.state, s.dir, name), "journal"), changes.Decode)
		if err != nil {
			a.ui.Say("%v", err)
		}
		for _, j := range journals {
			runs = append(runs, describe(name, j))
		}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int       `json:"schema"`
			Runs   []undoRun `json:"runs"`
		}{stack.Schema, runs})
	}
	var b strings.Builder
	for _, r := range runs {
		end := string(r.End)
		if r.End == stack.Open || r.End == stack.Undoing {
			end = "not finished"
		}
		fmt.Fprintf(&b, "%s  %s  %s\n", r.Machine, r.ID, end)
		for _, c := range r.Changes {
			fmt.Fprintf(&b, "    %s\n", c)
		}
	}
	if len(runs) == 0 {
		a.ui.Say("nothing is journaled")
	}
	a.ui.Print(b.String())
	return nil
}

func (a *app) undo(s site, names []string, all bool) error {
	if err := a.resumeRestarts(s); err != nil {
		return err
	}
	done := []undoRun{}
	var failed *exitError
	for _, name := range names {
		runs, err := a.undoMachine(s, name, all)
		done = append(done, runs...)
		if err == nil {
			continue
		}
		// One machine that is off keeps no other from being taken back.
		e := a.classify(err)
		if len(names) == 1 || a.ctx.Err() != nil {
			return e
		}
		if !a.ui.JSON {
			a.ui.Error(e.message, e.hint)
		}
		if failed == nil || e.code > failed.code {
			failed = e
		}
	}
	out := undoReport{Schema: stack.Schema, Undone: done}
	if failed != nil {
		a.code, out.Error = failed.code, failed.json()
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(out)
	}
	if failed == nil && len(done) == 0 {
		a.ui.Say("nothing to take back")
	}
	return nil
}

// undoReport is what undo --json prints.
type undoReport struct {
	Schema int        `json:"schema"`
	Undone []undoRun  `json:"undone"`
	Error  *jsonError `json:"error,omitempty"`
}

// known is nil for a machine of the store, and for one that has been removed from
// it since something was journaled.
func (a *app) known(s site, name string) error {
	_, err := s.store.Load(a.ctx, name)
	if err == nil || isConfigError(err) {
		return nil
	}
	if _, e := s.laptop.ReadDir(a.ctx, filepath.Join(world.MachineState(s.state, s.dir, name), "journal")); e == nil {
		return nil
	}
	return err
}

func (a *app) undoMachine(s site, name string, all bool) ([]undoRun, error) {
	if err := a.known(s, name); err != nil {
		return nil, err
	}
	if _, err := s.laptop.ReadDir(a.ctx, filepath.Join(world.MachineState(s.state, s.dir, name), "journal")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // and nowhere a lock has to be made for it
	}
	unlock, err := a.lock(s, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	w, err := a.open(s, name)
	if err != nil {
		// Removed from the store since: what was changed in it went with it.
		w.Machine.Name, w.Machine.StoreDir = name, s.dir
		w.Removed = true
	}
	defer w.Close()
	w.Patience = fixPatience
	journals, err := stack.Journals(a.ctx, w.Laptop, journalDir(w), changes.Decode)
	if err != nil {
		return nil, &exitError{code: exitIncomplete, message: err.Error(), hint: w.Hint("undo", "--list")}
	}
	var runs []undoRun
	for i := len(journals) - 1; i >= 0; i-- {
		j := journals[i]
		// One run, and with it every one that did not finish.
		if !j.Unfinished() && (!j.Live() || len(runs) > 0 && !all) {
			continue
		}
		if !w.Removed && j.NeedsDockerHost() {
			if err := a.mustRun(w); err != nil {
				return runs, err
			}
		}
		// Half of it would be worse than none, unless it is begun.
		if j.End == stack.Done {
			if err := a.cause(stack.Undoable(a.ctx, w, j)); err != nil {
				return runs, a.nothingTakenBack(w, err)
			}
			if err := a.mayStop(w, j); err != nil {
				return runs, a.cause(err)
			}
		}
		live := j.Live() // else only its end is missing
		left, err := stack.Undo(a.ctx, w, j, a.sink())
		if live {
			run := describe(name, j)
			run.Left = left
			runs = append(runs, run)
		}
		for _, l := range left {
			a.ui.Say("[%s] left as it is: %s", name, l)
		}
		if err != nil {
			return runs, a.cause(err)
		}
	}
	return runs, nil
}

func (a *app) nothingTakenBack(w *world.World, err error) error {
	e := *a.classify(err)
	e.message = "nothing was taken back: " + e.message
	if e.hint == "" {
		e.hint = w.Hint("doctor")
	}
	return &e
}

// mayStop says which containers taking a run back will stop, and asks where some will
// not come back.
func (a *app) mayStop(w *world.World, j *stack.Journal) error {
	for _, e := range j.Entries {
		switch c, ok := e.Change.(world.Costly); {
		case !ok || e.Mark == stack.Reverted || c.Risk() == "":
		case c.ForGood():
			if err := a.sink().Confirm(a.ctx, c); err != nil {
				return err
			}
		default:
			a.ui.Say("[%s] %s", w.Machine.Name, c.Risk())
		}
	}
	return nil
}

// mustRun is nil if the VM runs, which a change of the run needs to be undone.
func (a *app) mustRun(w *world.World) error {
	if w.LoadErr != nil {
		return w.LoadErr
	}
	running, err := w.VM.Running(a.ctx)
	if err != nil {
		return err
	}
	if !running && !w.VM.Missing(a.ctx) {
		return &exitError{code: exitUserAction, message: fmt.Sprintf("machine %q is not running, and undo has to log in to it", w.Machine.Name),
			hint: w.DockerMachine("start")}
	}
	return nil
}
