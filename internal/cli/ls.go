package cli

import (
	"bytes"
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
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
		Args:    noArgs,
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
		}{stack.Schema, rows})
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "NAME\tDRIVER\tSTATE\tENDPOINT\tPROBLEM")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Name, dash(r.Driver), dash(r.State), dash(r.Endpoint), dash(r.Problem))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	a.ui.Print(b.String())
	return nil
}

func lsLook(ctx context.Context, v view) lsRow {
	row, w, err := lsRow{Name: v.name}, v.World, v.err
	if err == nil {
		err = w.LoadErr
	}
	if err != nil {
		row.State, row.Problem = "unreadable", err.Error()
		return row
	}
	row.Driver = w.Machine.Driver
	row.State = w.StateText(ctx)
	target := w.Target(ctx)
	if err := w.Good(ctx, target); err != nil {
		row.Problem = err.Error()
		return row
	}
	if row.State == world.StateUnknown {
		row.State = "running"
	}
	row.Endpoint = target.URL()
	return row
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
