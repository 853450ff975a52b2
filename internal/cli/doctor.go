package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// doctorTime is the timeout of a diagnosis; a layer that is not done by then is unknown. Together
// with the program's start, doctor ends within 5 seconds.
const doctorTime = 4750 * time.Millisecond

func (a *app) doctorCmd() *cobra.Command {
	var all bool
	var reportFile string
	cmd := &cobra.Command{
		Use:   "doctor [HOST]",
		Short: "Diagnose the connection without changing anything",
		Long: `doctor inspects each layer between docker and dockerd, and changes nothing. The last line
is the one command to run next. While docker works there may be none.

HOST is ` + target.Usage(target.AllKinds()...) + `. Without it, it is
$DOCKER_MACHINE_NAME, else the only machine in the store, else "default"; where the store
has no machine, what docker itself uses now.`,
		Example: `  docker-vpn-helper doctor default
  docker-vpn-helper doctor --all --json
  docker-vpn-helper doctor --report ticket.txt default`,
		Args: a.oneHost,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("report") {
				if reportFile, err = a.reportFile(s, reportFile); err != nil {
					return err
				}
			}
			refs, err := a.hostRefs(s, args, all, a.allRefs, target.AllKinds()...)
			if err != nil {
				return err
			}
			return a.doctor(s, refs, reportFile)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "diagnose every machine in the store")
	cmd.Flags().StringVar(&reportFile, "report", "", "also write a report for a bug ticket to `FILE`, without names, secrets and public addresses")
	return cmd
}

// doctor diagnoses docker hosts side by side and prints their reports in the order of refs, each as
// soon as those before it are done. reportFile is the path from --report, or "".
func (a *app) doctor(s site, refs []target.Ref, reportFile string) error {
	began := a.Now()
	var reports []engine.Report
	type result struct {
		target *target.Target
		report engine.Report
		next   ui.Step
		code   int
		json   []byte
		err    error
	}
	look := func(ctx context.Context, v view) result {
		if v.err != nil {
			return result{err: v.err}
		}
		report := a.diagnose(ctx, v.Target)
		r := result{target: v.Target, report: report, next: a.nextStep(v.Target, report), code: reportCode(report)}
		if a.ui.JSON {
			// Keep only the JSON while waiting: a report takes ten times as much memory.
			if r.json, r.err = ui.JSONLine(report); reportFile == "" {
				r.report = engine.Report{}
			}
		}
		return r
	}
	err := lookAtAll(a, s, refs, look, func(r result) error {
		var removed *store.NotFoundError
		if errors.As(r.err, &removed) && len(refs) > 1 {
			return nil // the machine was removed after the list was read
		}
		if r.err != nil {
			return r.err
		}
		if a.interrupted() {
			return errInterrupted
		}
		a.code = worse(a.code, r.code)
		if reportFile != "" {
			reports = append(reports, r.report)
		}
		if a.ui.JSON {
			a.ui.Print(string(r.json))
			return nil
		}
		a.ui.Report(r.report, r.next)
		a.sayUnfinished(s, r.target)
		return nil
	})
	if err != nil || reportFile == "" {
		return err
	}
	return a.writeTicket(s, reportFile, began, reports)
}

// sayUnfinished prints a note if an earlier run has changed something and did not finish. It
// ignores journals that cannot be read: fix and undo report them.
func (a *app) sayUnfinished(s site, t *target.Target) {
	all, err := a.hostJob(s, t.Ref, t.State(), "doctor", nil).Journals(a.ctx)
	if err != nil {
		return
	}
	for _, j := range slices.Backward(all) {
		if j.Unfinished() {
			a.ui.Say("[%s] an earlier %s has not finished: unless it still runs, the next command that changes something rolls it back, or %s", t.Name(), j.UnfinishedCommand(),
				t.Hint(hint.Own("undo", hint.Machine)))
			return
		}
	}
}

func (a *app) diagnose(ctx context.Context, t *target.Target) engine.Report {
	r := engine.Diagnose(ctx, t, layers.For(ctx, t), a.sink())
	r.Version = a.release()
	if url := a.Getenv("DOCKER_HOST"); url != "" && t.Ref == (target.Ref{Kind: target.Context, Name: dockercli.DefaultContext}) {
		r.Title = url + " (DOCKER_HOST)" // the docker context named default only stands for DOCKER_HOST
	}
	return r
}

// reportCode returns the exit code of a report: a failed layer decides first, then the verdict.
func reportCode(r engine.Report) int {
	switch {
	case r.Failed():
		return exitProblems
	case r.Verdict != engine.OK:
		return exitUnknown
	}
	return exitOK
}

// worse returns the worse of two exit codes: a problem is worse than not knowing.
func worse(a, b int) int {
	if a == exitProblems || b == exitOK {
		return a
	}
	return b
}
