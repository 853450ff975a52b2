package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

func (a *app) explainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE | - | -- COMMAND...]",
		Short: "Explain a finding's code, or an error message",
		Long: `explain CODE prints what a finding means, what causes it, and what to run;
explain alone lists all codes with their titles, explain route those that begin with route,
explain cert those with that word.

explain - does the same for an error message of docker, docker-machine, ssh,
VBoxManage, docker-compose, curl or minikube, which it reads from standard input, or takes as one argument in quotes.

explain -- COMMAND runs the command, passes its input and output through, and
explains its error message if it fails.

Nothing is sent over the network.`,
		Example: `  docker-vpn-helper explain route.hijacked
  docker ps 2>&1 | docker-vpn-helper explain -
  docker-vpn-helper explain -- docker-machine env default`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch dash := cmd.ArgsLenAtDash(); {
			case dash > 0:
				return misused(hint.Own(append([]string{"explain", "--"}, args[dash:]...)...), "explain takes a code, -, or -- and a command")
			case dash < 0 && len(args) > 1:
				return misused(hint.Own("explain", strings.Join(args, " ")), "explain takes a code, -, or -- and a command; a message needs quotes")
			case dash == 0 && len(args) == 0:
				return misused(hint.Own("explain", "--", "docker", "ps"), "explain -- takes a command")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 || slices.Contains(a.args, "--") {
				return nil, cobra.ShellCompDirectiveDefault // the user completes a command, not a code
			}
			return beginning(codesAndNames(), begun), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case cmd.ArgsLenAtDash() == 0:
				return a.explainCommand(args)
			case len(args) == 0 && a.ui.StdinIsTerminal():
				return a.explainList()
			case len(args) == 0:
				return a.explainInput(func() error { return a.explainList() }) // in a script, standard input may be empty
			case args[0] == "-":
				return a.explainInput(func() error {
					return misused(hint.Shell("docker ps 2>&1 | docker-vpn-helper explain -"), "there is no message on standard input")
				})
			case strings.ContainsAny(args[0], " \t\n"):
				return a.explainText(args[0], nil) // a code has no spaces, so this is a message
			}
			return a.explainCode(args[0])
		},
	}
}

// explainCode prints the page of a finding's code, or what is known about the error message of that
// name, or the codes of that layer or program.
func (a *app) explainCode(code string) error {
	code = strings.ToLower(code)
	page, ok := docs.Page(code)
	if !ok {
		if e, ok := explain.ByID(code); ok {
			return a.showEntry(e, "", nil)
		}
		if like := codesWith(code); len(like) > 1 {
			return a.explainList(like...)
		}
		return a.unknownCode(code)
	}
	page = pageFor(page, a.likelyMachine(), a.command())
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int    `json:"schema"`
			Code   string `json:"code"`
			Page   string `json:"page"`
		}{engine.Schema, code, page})
	}
	a.ui.Page(code, page)
	return nil
}

// pageFor returns a page whose commands name this machine and call this program.
func pageFor(page, machine, program string) string {
	word := regexp.MustCompile(`\bmachine-default\b|\bdefault\b`)
	commands := regexp.MustCompile("(?m)^    .*$|`docker-(vpn-helper|machine) [^`]*`")
	return commands.ReplaceAllStringFunc(page, func(command string) string {
		command = explain.Called(command, program)
		if machine != "default" {
			command = word.ReplaceAllLiteralString(command, machine)
		}
		return command
	})
}

// explainInput reads a message from standard input and explains it. If there is no message, it
// calls none.
func (a *app) explainInput(none func() error) error {
	if a.ui.CanPrompt() {
		a.ui.Say("paste the message, then press Ctrl-D")
	}
	var text tail
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&text, a.Stdin)
		read <- err
	}()
	select {
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case err := <-read:
		if err != nil {
			return fmt.Errorf("reading the message: %w", err)
		}
		if strings.TrimSpace(text.String()) == "" {
			return none()
		}
		return a.explainText(text.String(), nil)
	}
}

// ran is the command of explain --, as --json shows it.
type ran struct {
	Argv    []string `json:"argv"`
	Exit    int      `json:"exit"`
	failure string   // the error to print if the command's output is not recognized
}

// explainCommand runs a command, passes its output on as it comes, and explains its error message
// if it fails. With --json the output goes to stderr, because stdout is for the JSON object.
func (a *app) explainCommand(argv []string) error {
	var stdout, stderr tail
	out := a.Stdout
	if a.ui.JSON {
		out = a.Stderr
	}
	laptop := a.Laptop(host.Sudo{})
	_, err := laptop.Run(a.ctx, host.Cmd{Argv: argv, Through: &host.Streams{
		Stdin: a.Stdin, Stdout: io.MultiWriter(out, &stdout), Stderr: io.MultiWriter(a.Stderr, &stderr), Terminal: a.ui.StdinIsTerminal(),
	}})
	text := stdout.String() + "\n" + stderr.String()
	name := shell.Command(argv...)
	var failed *host.CmdError
	switch {
	case a.ctx.Err() != nil:
		return context.Cause(a.ctx)
	case err == nil:
		if a.ui.JSON {
			return a.ui.PrintJSON(explanation{Schema: engine.Schema, Command: &ran{Argv: argv}})
		}
		return nil
	case errors.As(err, &failed) && failed.Exit < 0:
		return a.explainText(text, &ran{argv, failed.Exit, name + " was killed, with an unrecognized error message"})
	case errors.As(err, &failed):
		return a.explainText(text, &ran{argv, failed.Exit, fmt.Sprintf("%s failed with exit status %d and an unrecognized error message", name, failed.Exit)})
	}
	if _, missing := laptop.LookPath(argv[0]); missing != nil {
		return a.explainText(err.Error(), &ran{argv, -1, argv[0] + ": command not found"})
	}
	return a.explainText(text+"\n"+err.Error(), &ran{argv, -1, name + ": " + err.Error()})
}

// explanation is what explain --json prints for a message.
type explanation struct {
	Schema  int            `json:"schema"`
	Command *ran           `json:"command,omitempty"`
	Known   *explain.Entry `json:"explanation,omitempty"`
}

// explainText explains an error message. command is the command that printed it, or nil if that is
// not known.
func (a *app) explainText(text string, command *ran) error {
	e, ok := explain.Find(text)
	if !ok {
		e, ok = explain.FindRest(text)
	}
	if !ok {
		message := "unrecognized error message; paste all of it, with the lines around it"
		if command != nil {
			message = command.failure
		}
		return &exitError{code: exitUnknown, message: message, hint: hint.Own("doctor")}
	}
	return a.showEntry(e, text, command)
}

// showEntry prints what is known about an error message. command is the command that printed it, or
// nil if that is not known.
func (a *app) showEntry(e explain.Entry, text string, command *ran) error {
	e = e.On(explain.Laptop{
		System: a.Laptop(host.Sudo{}).OS(), Machine: a.likelyMachine(), Program: a.command(), HostOnlyNetworks: sync.OnceValue(a.hasHostOnlyNetworks),
	}, text)
	if command != nil {
		a.code = exitProblems
	}
	if a.ui.JSON {
		return a.ui.PrintJSON(explanation{Schema: engine.Schema, Command: command, Known: &e})
	}
	if command != nil {
		a.ui.PageOnStderr(e.ID, a.entryPage(e)) // stdout has the command's own output
		return nil
	}
	a.ui.Page(e.ID, a.entryPage(e))
	return nil
}

// entryPage returns what is known about an error message, as a page.
func (a *app) entryPage(e explain.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nCauses, likeliest first:\n\n", e.Means)
	for _, c := range e.Causes {
		fmt.Fprintf(&b, "- %s\n", c)
	}
	if len(e.Do) > 0 {
		fmt.Fprintf(&b, "\nDo:\n\n- %s\n", strings.Join(e.Do, "\n- "))
	}
	if len(e.Run) > 0 {
		fmt.Fprintf(&b, "\nRun:\n\n    %s\n", strings.Join(e.Run, "\n    "))
	}
	if e.Code != "" {
		fmt.Fprintf(&b, "\nMore: `%s`\n", hint.Explain(e.Code))
	}
	for i, code := range e.Also {
		if i == 0 {
			b.WriteString("\nOther findings with the same message:\n\n")
		}
		fmt.Fprintf(&b, "- `%s`\n", hint.Explain(code))
	}
	return b.String() + "\nSource: " + e.Source
}

// likelyMachine returns the machine that advice is for. It never fails, so that explain answers
// even if the store cannot be read.
func (a *app) likelyMachine() string {
	s, err := a.site()
	if err != nil {
		return store.Default(a.Getenv, nil)
	}
	name, err := a.machineName(s, nil)
	if err != nil {
		return "default"
	}
	return name
}
