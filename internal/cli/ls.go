package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// lsRow is one machine in the list. Endpoint was verified; it is "" if none works.
type lsRow struct {
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	State    string `json:"state"`
	Endpoint string `json:"endpoint"`
	Problem  string `json:"problem"`
}

func (a *app) lsCmd() *cobra.Command {
	var quiet bool
	var format string
	cmd := &cobra.Command{
		Use: "ls", Aliases: []string{"list"},
		Short: "List the machines and the endpoints that work",
		Long: `ls lists every machine of the store. STATE is that of its VM, as VirtualBox has it. ENDPOINT is
an address at which its dockerd has just answered, verified; "-" if none does, and PROBLEM is why.`,
		Example: `  docker-vpn-helper ls
  docker-vpn-helper ls -q
  docker-vpn-helper ls --format '{{.Name}} {{.Endpoint}}'`,
		Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.site()
			if err != nil {
				return err
			}
			if quiet {
				return a.lsNames(s)
			}
			row, err := template.New("ls").Parse(format)
			if err == nil {
				err = row.Execute(io.Discard, lsRow{})
			}
			if err != nil {
				return misused(a.corrected(format, "{{.Name}}"), "--format takes a template of .Name, .Driver, .State, .Endpoint and .Problem, not %q", format)
			}
			if format == "" || format == "table" { // docker accepts "table", too
				row = nil
			}
			return a.ls(s, row)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the names alone, without checking anything")
	cmd.Flags().StringVar(&format, "format", "", "print each machine by a Go `TEMPLATE` of .Name, .Driver, .State, .Endpoint and .Problem")
	return cmd
}

// lsNames prints the names of all machines without checking anything.
func (a *app) lsNames(s site) error {
	names, err := s.store.Names(a.ctx)
	if err != nil {
		return err
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int      `json:"schema"`
			Names  []string `json:"names"`
		}{engine.Schema, nonNil(names)})
	}
	a.ui.Lines(names...)
	return nil
}

// ls prints all machines: each by the template row, or in a table if row is nil.
func (a *app) ls(s site, row *template.Template) error {
	names, err := a.machineNames(s)
	if err != nil {
		return err
	}
	if len(names) == 0 && row == nil && !a.ui.JSON {
		return nil
	}
	rows := make([]lsRow, 0, len(names))
	defer a.ui.Busy("", fmt.Sprintf("looking at %d machines", len(names)))()
	err = lookAtAll(a, s, machineRefs(names), lsLook, func(r lsRow) error {
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
	if row != nil {
		return a.lsFormatted(rows, row)
	}
	table := make([][]string, len(rows))
	for i, r := range rows {
		table[i] = []string{r.Name, dash(r.Driver), dash(r.State), dash(r.Endpoint), dash(r.Problem)}
	}
	a.ui.Table([]string{"NAME", "DRIVER", "STATE", "ENDPOINT", "PROBLEM"}, table)
	a.nextAfterLs(rows)
	return nil
}

func (a *app) lsFormatted(rows []lsRow, row *template.Template) error {
	var b strings.Builder
	for _, r := range rows {
		if err := row.Execute(&b, r); err != nil {
			return fmt.Errorf("formatting machine %s: %w", r.Name, err)
		}
		b.WriteString("\n")
	}
	a.ui.Print(b.String())
	return nil
}

// nextAfterLs prints the command that tells more about the machines with a problem.
func (a *app) nextAfterLs(rows []lsRow) {
	problems := slices.DeleteFunc(slices.Clone(rows), func(r lsRow) bool { return r.Problem == "" })
	switch len(problems) {
	case 0:
	case 1:
		a.next(hint.Own("doctor", problems[0].Name))
	default:
		a.next(hint.Own("doctor", "--all"))
	}
}

func lsLook(ctx context.Context, v view) lsRow {
	row, t, err := lsRow{Name: v.name}, v.Target, v.err
	if err == nil {
		err = t.LoadErr
	}
	if err != nil {
		row.State, row.Problem = "unreadable", err.Error()
		return row
	}
	row.Driver = t.Machine.Driver
	switch row.State = t.VM.StateText(ctx); row.State {
	case virtualbox.StateUnknown, virtualbox.StateRunning:
	case virtualbox.StateMissing:
		row.Problem = "VirtualBox does not know the VM"
	default:
		row.Problem = "the VM does not run"
	}
	if row.Problem != "" && !t.Machine.CreateUnfinished {
		return row
	}
	e := t.Endpoints.ForDocker(ctx)
	if err := t.Endpoints.Verify(ctx, e); err != nil {
		// The row already has the machine's name.
		named := fmt.Sprintf("machine %q", v.name)
		row.Problem = strings.NewReplacer(" on "+named, "", " of "+named, "", named, "this machine").Replace(err.Error())
		return row
	}
	row.State = virtualbox.StateRunning
	row.Endpoint = e.URL()
	return row
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
