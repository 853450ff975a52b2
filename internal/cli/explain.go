package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
)

// maxMessage bounds what is read of a message: logs are long, messages are not.
const maxMessage = 1 << 20

func (a *app) explainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE | - | -- COMMAND…]",
		Short: "Explain a finding's code, or an error message",
		Long: `explain CODE prints what a finding means, what causes it, and what to run.
explain - reads an error message of docker, docker-machine, ssh, VBoxManage,
docker-compose, curl or minikube on standard input, and says the same of it.
explain -- COMMAND runs the command, and explains what it says if it fails.
What it does not know it does not guess: exit status 4. It never asks the network.`,
		Example: `  docker-vpn-helper explain route.hijacked
  docker ps 2>&1 | docker-vpn-helper explain -
  docker-vpn-helper explain -- docker-machine env default`,
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash > 0 || dash < 0 && len(args) > 1 {
				return usage("explain takes a code, -, or -- and a command")
			} else if dash == 0 && len(args) == 0 {
				return usage("explain -- takes a command")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return beginning(docs.Codes(), begun), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case cmd.ArgsLenAtDash() == 0:
				return a.explainCommand(args)
			case len(args) == 0 || args[0] == "-":
				return a.explainInput()
			case strings.ContainsAny(args[0], " \t\n"):
				return a.explainText(args[0], nil) // a message, not a code
			}
			return a.explainCode(args[0])
		},
	}
}

func (a *app) explainCode(code string) error {
	page, ok := docs.Page(code)
	if !ok {
		var like []string
		for _, c := range nearest(code, docs.Codes(), 3) {
			like = append(like, "docker-vpn-helper explain "+c)
		}
		if len(like) == 0 {
			like = []string{"docker-vpn-helper doctor"}
		}
		return &exitError{code: exitUsage, message: fmt.Sprintf("no finding has the code %q", code), hint: strings.Join(like, "\n")}
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Code   string `json:"code"`
			Page   string `json:"page"`
		}{stack.Schema, code, page})
	}
	a.ui.Print(code + "\n\n" + page)
	return nil
}

// explainInput reads a message from standard input; a Ctrl-C ends the wait.
func (a *app) explainInput() error {
	if a.ui.CanPrompt() {
		a.ui.Say("paste the message, then press Ctrl-D")
	}
	type input struct {
		text []byte
		err  error
	}
	read := make(chan input, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(a.Stdin, maxMessage))
		read <- input{text, err}
	}()
	select {
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case in := <-read:
		if in.err != nil {
			return fmt.Errorf("reading the message: %w", in.err)
		}
		if len(bytes.TrimSpace(in.text)) == 0 {
			return usage("there is no message on standard input")
		}
		return a.explainText(string(in.text), nil)
	}
}

// ran is the command of explain --, as --json shows it.
type ran struct {
	Argv []string `json:"argv"`
	Exit int      `json:"exit"`
}

// explainCommand runs a command. What it prints is passed on; with --json all of
// it goes to stderr, because stdout is the object's.
func (a *app) explainCommand(argv []string) error {
	s, err := a.site()
	if err != nil {
		return err
	}
	out, err := s.laptop.Run(a.ctx, host.Cmd{Argv: argv})
	if a.ui.JSON {
		fmt.Fprintf(a.Stderr, "%s%s", out.Stdout, out.Stderr)
	} else {
		a.ui.Print(string(out.Stdout))
		fmt.Fprintf(a.Stderr, "%s", out.Stderr)
	}
	var failed *host.CmdError
	switch {
	case a.ctx.Err() != nil:
		return context.Cause(a.ctx)
	case err == nil:
		if a.ui.JSON {
			return a.ui.PrintJSON(explanation{Schema: stack.Schema, Command: &ran{Argv: argv}})
		}
		return nil
	case errors.As(err, &failed):
		return a.explainText(string(out.Stderr)+"\n"+string(out.Stdout), &ran{Argv: argv, Exit: failed.Exit})
	}
	return a.explainText(err.Error(), &ran{Argv: argv, Exit: -1})
}

// explanation is what explain --json prints of a message.
type explanation struct {
	Schema  int            `json:"schema"`
	Command *ran           `json:"command,omitempty"`
	Known   *explain.Entry `json:"explanation,omitempty"`
}

// explainText explains a message; command is what printed it, nil if nobody knows.
func (a *app) explainText(text string, command *ran) error {
	e, ok := explain.Find(text)
	if !ok {
		message := "I don't know this one"
		if command != nil && command.Exit > 0 {
			message = fmt.Sprintf("%s failed with exit status %d; what it says I don't know", shell.Command(command.Argv...), command.Exit)
		} else if command != nil {
			message = "I don't know this one: " + text
		}
		return &exitError{code: exitUnknown, message: message, hint: "docker-vpn-helper doctor"}
	}
	if command != nil {
		a.code = exitProblems
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(explanation{Schema: stack.Schema, Command: command, Known: &e})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\nCauses, likeliest first:\n", e.ID, e.Means)
	for _, c := range e.Causes {
		fmt.Fprintf(&b, "  - %s\n", c)
	}
	b.WriteString("\nRun:\n")
	for _, r := range e.Run {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	b.WriteString("\n")
	if e.Code != "" {
		fmt.Fprintf(&b, "More: docker-vpn-helper explain %s\n", e.Code)
	}
	fmt.Fprintf(&b, "Source: %s\n", e.Source)
	if command != nil {
		fmt.Fprintf(a.Stderr, "\n%s", b.String()) // stdout is the command's
		return nil
	}
	a.ui.Print(b.String())
	return nil
}

// nearest are the n words that take the fewest edits to become like word; one
// that has nothing to do with it is left out.
func nearest(word string, all []string, n int) []string {
	type scored struct {
		word string
		cost int
	}
	var list []scored
	for _, w := range all {
		cost := edits(word, w)
		_, noun, _ := strings.Cut(w, ".")
		if noun == word || strings.HasPrefix(w, word+".") || strings.HasPrefix(w, word) && word != "" {
			cost = 1 // the layer or the noun alone, or the beginning
		}
		if cost <= max(3, len(w)/2) {
			list = append(list, scored{w, cost})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.cost - b.cost })
	var out []string
	for _, s := range list[:min(n, len(list))] {
		out = append(out, s.word)
	}
	return out
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
