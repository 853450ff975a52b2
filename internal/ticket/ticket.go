// Package ticket writes the report for a network team or an issue: one text with the findings, the
// evidence behind them, versions, timings and routes, without secrets, names and addresses that
// identify anyone.
package ticket

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// Heading is the beginning of every report; a file that begins otherwise is not ours.
const Heading = "docker-vpn-helper report"

// Ticket is the contents of a report.
type Ticket struct {
	Version string
	Made    time.Time
	Took    time.Duration
	Reports []engine.Report
	// Sections are the output of commands on the laptop.
	Sections []Section
}

// Section is a piece of text with a title.
type Section struct{ Title, Text string }

// Text returns the report, with a list at the top of what Redact replaced.
func (t Ticket) Text(private Private) string {
	body, replaced := Redact(t.body(), private)
	var b strings.Builder
	fmt.Fprintf(&b, "%s, version %s, %s, made in %s\n\n", Heading, text.OneLine(t.Version), t.Made.UTC().Format(time.RFC3339), t.Took.Round(time.Millisecond))
	b.WriteString("Replaced in this file:\n")
	for _, r := range replaced {
		fmt.Fprintf(&b, "    %-24s %s\n", r.What, r.by())
	}
	b.WriteString("Private addresses and names of machines are as they are. Read it before you send it.\n")
	return b.String() + body
}

func (t Ticket) body() string {
	var b strings.Builder
	for _, r := range t.Reports {
		kind := "machine "
		if r.Machine == "" {
			kind = "docker host "
		}
		heading(&b, kind+r.Name())
		fmt.Fprintf(&b, "status %s, endpoint %s, cause %s\n\n", r.Status, orNone(r.Endpoint), orNone(r.Cause))
		for _, l := range r.Layers {
			status := string(l.Status)
			if l.BlockedBy != "" {
				status += " by " + l.BlockedBy
			}
			fmt.Fprintf(&b, "%-8s %s (%s)\n", l.Layer, status, l.Took.Round(time.Millisecond))
			for _, f := range l.Findings {
				finding(&b, f)
			}
			for _, f := range l.Hidden {
				f.Title += " (explained by " + l.BlockedBy + ")"
				finding(&b, f)
			}
			for _, c := range l.Changes {
				fmt.Fprintf(&b, "    a repair would: %s\n", text.OneLine(c))
			}
		}
		for _, l := range r.Layers {
			if l.Observed == nil {
				continue
			}
			heading(&b, "observed on "+r.Name()+", "+l.Layer)
			fmt.Fprintf(&b, "%s\n", asJSON(l.Observed))
		}
	}
	for _, s := range t.Sections {
		heading(&b, s.Title)
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(s.Text, "\n"))
	}
	return b.String()
}

// escapes matches JSON's escapes for characters that a printable text does not have.
var escapes = expr(`\\\\|\\[bf]|\\u[0-9a-f]{4}`)

// asJSON returns a state as JSON in which names and addresses are not escaped, so that they can be
// replaced.
func asJSON(state any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(state); err != nil {
		return err.Error()
	}
	return escapes().ReplaceAllStringFunc(strings.TrimRight(b.String(), "\n"), func(s string) string {
		if s == `\\` {
			return s
		}
		return string(unicode.ReplacementChar)
	})
}

func heading(b *strings.Builder, title string) { fmt.Fprintf(b, "\n== %s ==\n", text.OneLine(title)) }

func finding(b *strings.Builder, f engine.Finding) {
	fmt.Fprintf(b, "    %s %s: %s\n", f.Status, f.Code, text.OneLine(f.Title))
	if len(f.Hint) > 0 && f.Status != engine.OK {
		fmt.Fprintf(b, "        %s\n", text.OneLine(f.Hint.String()))
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return text.OneLine(s)
}
