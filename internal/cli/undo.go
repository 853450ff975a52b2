package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

func (a *app) undoCmd() *cobra.Command {
	var list, all, dryRun bool
	cmd := &cobra.Command{
		Use:   "undo [HOST]",
		Short: "Undo the most recent repair or other change",
		Long: `undo reverts what the newest run of any command changed, newest change first; --all
reverts older ones as well. It is all-or-nothing: where a change cannot be reverted now, it
does nothing and prints why. A run that was killed is reverted as far as possible. Before it
stops containers, to restart dockerd with the old certificate, it asks on a terminal; in a
script it goes on, unless a container would not come back.

Without HOST it is $DOCKER_MACHINE_NAME, else the only machine in the store, else "default";
where the store has no machine, what docker itself uses now.`,
		Example: `  docker-vpn-helper undo default
  docker-vpn-helper undo --dry-run default
  docker-vpn-helper undo --all`,
		Args: a.oneHost,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			refs, err := a.hostRefs(s, args, all, a.journaled, target.AllKinds()...)
			if err != nil {
				return err
			}
			if list {
				return a.undoList(s, refs)
			}
			if dryRun {
				return a.undoDryRun(s, refs, all)
			}
			return a.undo(s, refs, all)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the recorded repairs without undoing any")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "list the changes that would be undone, without undoing any")
	cmd.Flags().BoolVar(&all, "all", false, "undo every repair, on every docker host")
	return cmd
}

// journaled returns the docker hosts that have journals, including machines that are no longer in
// the store.
func (a *app) journaled(s site) (refs []target.Ref, err error) {
	machines, err := a.withJournal(s, filepath.Join(target.StoreState(s.state, s.dir), "machines"))
	if err != nil {
		return nil, err
	}
	hosts, err := a.withJournal(s, target.HostsState(s.state))
	if err != nil {
		return nil, err
	}
	refs = machineRefs(machines)
	for _, dir := range hosts {
		if ref, err := target.RefOfState(dir); err == nil {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// withJournal returns the subdirectories of dir that have journals.
func (a *app) withJournal(s site, dir string) (names []string, err error) {
	entries, err := s.laptop.ReadDir(a.ctx, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	for _, e := range entries {
		switch _, err := s.laptop.ReadDir(a.ctx, journal.Dir(filepath.Join(dir, e.Name()))); {
		case err == nil:
			names = append(names, e.Name())
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("listing journals: %w", err)
		}
	}
	return names, nil
}

func (a *app) undo(s site, refs []target.Ref, all bool) error {
	if err := engine.RollBackUnfinished(a.ctx, a.hard, a.modulesJob(s)); err != nil {
		return err
	}
	done := []undoRun{}
	var failed *exitError
	for _, ref := range refs {
		a.on = ref
		runs, err := a.undoHost(s, ref, all)
		done = append(done, runs...)
		if err == nil {
			continue
		}
		// If one docker host fails, continue with the others.
		e := a.failure(err)
		if len(refs) == 1 || a.ctx.Err() != nil {
			return e
		}
		if !a.ui.JSON {
			a.ui.Error(e.message, a.inShell(e.hint))
		}
		if failed == nil || e.code > failed.code {
			failed = e
		}
	}
	out := undoReport{Schema: engine.Schema, Undone: done}
	if failed != nil {
		a.code, out.Error = failed.code, failed.json()
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(out)
	}
	if failed == nil && len(done) == 0 {
		a.ui.Say("nothing to undo")
	}
	return nil
}

// undoReport is what undo --json prints.
type undoReport struct {
	Schema int        `json:"schema"`
	Undone []undoRun  `json:"undone"`
	Error  *jsonError `json:"error,omitempty"`
}

func (a *app) undoHost(s site, ref target.Ref, all bool) ([]undoRun, error) {
	job, err := a.undoJob(s, ref)
	if err != nil {
		return nil, err
	}
	if err := a.sweepLeftovers(s, job); err != nil {
		return nil, err
	}
	if _, err := s.laptop.ReadDir(a.ctx, journal.Dir(job.Dir)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // do not create a directory just for a lock
	}
	session, err := engine.Lock(a.ctx, job)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	expired := a.undoExpired(session, ref)
	if len(expired) > 0 && !all {
		return expired, nil
	}
	undone, err := session.Undo(a.ctx, all)
	var runs []undoRun
	for _, u := range undone {
		run := describe(ref, u.Journal)
		run.Left = u.Left
		runs = append(runs, run)
	}
	if !a.ui.JSON && err == nil && len(runs) > 0 {
		a.ui.Success("[%s] undone: %s", ref.Arg(), strings.Join(commands(runs), ", "))
		a.shellPointsNowhere(session.Target)
		a.sayOlder(session)
	}
	return append(expired, runs...), err
}

// sayOlder prints how many runs can still be undone.
func (a *app) sayOlder(session *engine.Session) {
	journals, err := session.Journals(a.ctx)
	older := len(engine.ToUndo(journals, true))
	if err != nil || older == 0 {
		return
	}
	a.ui.CommandLine(fmt.Sprintf("[%s] older runs that can be undone: %d; list them:", session.Target.Name(), older), session.Target.Hint(hint.Own("undo", "--list", hint.Machine)).String())
}

// commands returns the commands that were undone, newest first.
func commands(runs []undoRun) (names []string) {
	for _, r := range runs {
		names = append(names, strings.ReplaceAll(r.Command, "-", " "))
	}
	return names
}

// shellPointsNowhere prints a note if DOCKER_HOST in this shell was set by env and no longer
// reaches the machine.
func (a *app) shellPointsNowhere(t *target.Target) {
	if t.Kind != target.Machine {
		return
	}
	host := a.Getenv("DOCKER_HOST")
	ours, _ := endpoint.SplitEnv(a.Getenv, t.Machine.StoreDir)
	if host == "" || a.Getenv("DOCKER_MACHINE_NAME") != t.Machine.Name || !slices.Contains(ours, "DOCKER_HOST") {
		return
	}
	t.Forget()
	e := t.Endpoints.ForDocker(a.ctx)
	if e.URL() == host && t.Endpoints.Verify(a.ctx, e) == nil {
		return
	}
	a.ui.Say("DOCKER_HOST in this shell is %s, where docker does not reach %s any more. Unset it:", host, t.Machine.Name)
	a.ui.CommandLine(" ", a.evaluated("env", "--unset"))
}

// sweepLeftovers removes the NAT rules of a "ports follow" that was killed. They are in no journal.
func (a *app) sweepLeftovers(s site, job engine.Job) error {
	if !follow.Leftover(a.ctx, s.laptop, job.Dir) {
		return nil
	}
	t, err := job.Open()
	if err != nil {
		return err
	}
	defer t.Close()
	return a.sweepPorts(t)
}
