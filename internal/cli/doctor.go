package cli

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/layers"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
)

// doctorTime bounds a diagnosis; a rung that is not done by then is unknown.
const doctorTime = 5 * time.Second

// atOnce bounds how many machines are looked at side by side.
const atOnce = 16

func (a *app) doctorCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor [MACHINE]",
		Short: "Inspect every rung and change nothing",
		Example: `  docker-vpn-helper doctor default
  docker-vpn-helper doctor --all --json`,
		Args: oneMachine,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			names := args
			if all {
				if len(args) > 0 {
					return usage("--all takes no machine")
				}
				if names, err = s.store.Names(a.ctx); err != nil {
					return err
				}
			} else {
				name, err := a.machineName(s, args)
				if err != nil {
					return err
				}
				names = []string{name}
			}
			return a.doctor(s, names)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every machine of the store")
	return cmd
}

// doctor diagnoses machines side by side and prints them in their order, each
// as soon as those before it are done.
func (a *app) doctor(s site, names []string) error {
	type result struct {
		report stack.Report
		err    error
	}
	results := make([]chan result, len(names))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, name := range names {
		results[i] = make(chan result, 1)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r, err := a.diagnose(s, name)
			results[i] <- result{r, err}
		})
	}
	for _, c := range results {
		r := <-c
		if r.err != nil {
			return r.err
		}
		if a.ctx.Err() != nil {
			return context.Cause(a.ctx)
		}
		a.code = worse(a.code, reportCode(r.report))
		if a.ui.JSON {
			if err := a.ui.PrintJSON(r.report); err != nil {
				return err
			}
			continue
		}
		a.ui.Ladder(r.report)
	}
	return nil
}

func (a *app) diagnose(s site, name string) (stack.Report, error) {
	w, err := a.open(s, name)
	if err != nil {
		return stack.Report{}, err
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(a.ctx, doctorTime)
	defer cancel()
	r := stack.Diagnose(ctx, w, layers.All(), a.sink())
	r.Version = a.Version
	return r, nil
}

// reportCode is the exit code of a report: what is fail decides, then the verdict.
func reportCode(r stack.Report) int {
	switch {
	case r.Failed():
		return exitProblems
	case r.Verdict() != stack.OK:
		return exitUnknown
	}
	return exitOK
}

// worse of two exit codes: a problem is worse than not knowing.
func worse(a, b int) int {
	if a == exitProblems || b == exitOK {
		return a
	}
	return b
}
