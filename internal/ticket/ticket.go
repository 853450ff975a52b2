// Package ticket is the report that goes to a network team or into an issue: one
// text with the report, the evidence behind it, versions, timings and the route
// table, without secrets, names and addresses that identify anyone.
package ticket

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// Heading is the beginning of every ticket; a file that begins otherwise is not ours.
const Heading = "docker-vpn-helper report"

// Ticket is what goes into it.
type Ticket struct {
	Version string
	Made    time.Time
	Took    time.Duration
	Reports []engine.Report
	// Sections are what commands of the laptop printed.
	Sections []Section
}

// Section is a piece of text with a title.
type Section struct{ Title, Text string }

// Text is the ticket as it is written, with what Redact replaced listed at the top.
func (t Ticket) Text(private Private) string {
	body, replaced := Redact(t.body(), private)
	var b strings.Builder
	fmt.Fprintf(&b, "%s, version %s, %s, made in %s\n\n", Heading, line(t.Version), t.Made.UTC().Format(time.RFC3339), t.Took.Round(time.Millisecond))
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
				fmt.Fprintf(&b, "    a repair would: %s\n", line(c))
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

// escapes are what JSON makes of characters that a text does not have.
var escapes = expr(`\\\\|\\[bf]|\\u[0-9a-f]{4}`)

// asJSON is a state, in which names and addresses stand as they are.
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

func heading(b *strings.Builder, text string) { fmt.Fprintf(b, "\n== %s ==\n", line(text)) }

func finding(b *strings.Builder, f engine.Finding) {
	fmt.Fprintf(b, "    %s %s: %s\n", f.Status, f.Code, line(f.Title))
	if len(f.Hint) > 0 && f.Status != engine.OK {
		fmt.Fprintf(b, "        %s\n", line(f.Hint.String()))
	}
}

// line keeps what others have written from making lines of its own.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return line(s)
}
