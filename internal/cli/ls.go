package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// lsRow is one machine of ls. Endpoint is one that works, or empty.
type lsRow struct {
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	State    string `json:"state"`
	Endpoint string `json:"endpoint"`
	Problem  string `json:"problem"`
}

func (a *app) lsCmd() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"},
		Short:   "List the machines and the endpoints that work",
		Example: "  docker-vpn-helper ls",
		Args:    a.noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.ls() },
	}
}

func (a *app) ls() error {
	s, err := a.site()
	if err != nil {
		return err
	}
	names, err := a.machines(s)
	if err != nil {
		return err
	}
	rows := make([]lsRow, 0, len(names))
	defer a.ui.Busy("", fmt.Sprintf("looking at %d machines", len(names)))()
	err = lookAtAll(a, s, names, lsLook, func(r lsRow) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case a.interrupted():
		return errInterrupted
	case a.ctx.Err() != nil:
		a.code = exitUnknown
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema   int     `json:"schema"`
			Machines []lsRow `json:"machines"`
		}{engine.Schema, rows})
	}
	table := make([][]string, len(rows))
	for i, r := range rows {
		table[i] = []string{r.Name, dash(r.Driver), dash(r.State), dash(r.Endpoint), dash(r.Problem)}
	}
	a.ui.Table([]string{"NAME", "DRIVER", "STATE", "ENDPOINT", "PROBLEM"}, table)
	return nil
}

func lsLook(ctx context.Context, v view) lsRow {
	row, w, err := lsRow{Name: v.name}, v.Target, v.err
	if err == nil {
		err = w.LoadErr
	}
	if err != nil {
		row.State, row.Problem = "unreadable", err.Error()
		return row
	}
	row.Driver = w.Machine.Driver
	switch row.State = w.VM.StateText(ctx); row.State {
	case virtualbox.StateUnknown, virtualbox.StateRunning:
	case virtualbox.StateMissing:
		row.Problem = "VirtualBox does not know the VM"
	default:
		row.Problem = "the VM does not run"
	}
	if row.Problem != "" && !w.Machine.Unfinished {
		return row
	}
	target := w.Endpoints.Target(ctx)
	if err := w.Endpoints.Verify(ctx, target); err != nil {
		// The row has the machine's name already.
		named := fmt.Sprintf("machine %q", v.name)
		row.Problem = strings.NewReplacer(" on "+named, "", " of "+named, "", named, "this machine").Replace(err.Error())
		return row
	}
	row.State = virtualbox.StateRunning
	row.Endpoint = target.URL()
	return row
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
