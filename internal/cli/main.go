// Package cli is the command line, with one file for each command: flags and exit codes. What a
// command does is decided in other packages.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// IO is what the program gets from its caller.
type IO struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Signals starts to listen for signals and returns their channel. The first signal stops the
	// run, which then rolls back; a second one stops the rollback.
	Signals func() <-chan os.Signal
	// Laptop returns the computer on which the program works.
	Laptop  func(host.Sudo) host.Laptop
	Version string
	Now     func() time.Time
}

// app is one invocation.
type app struct {
	IO
	ui    *ui.UI
	args  []string
	table []command // all commands, to find the one to build or to suggest

	storage string
	host    string     // -H
	on      target.Ref // the docker host on which the command works, once it is known
	color   string
	yes     bool
	timeout time.Duration

	cmd    *cobra.Command  // the command that runs
	ctx    context.Context // ends with the first signal, or with --timeout
	hard   context.Context // ends with the second signal
	cancel context.CancelFunc
	listen func()
	hangup chan struct{} // receives each SIGHUP, if SIGHUP does not stop the command
	code   int
}

// Main runs one command and returns the exit code.
func Main(args []string, stdio IO) int {
	a := &app{IO: stdio, args: args, ui: ui.New(stdio.Stdin, stdio.Stdout, stdio.Stderr, stdio.Getenv)}
	ctx, stop := context.WithCancelCause(context.Background())
	hard, stopHard := context.WithCancelCause(context.Background())
	defer stop(nil)
	defer stopHard(nil)
	a.listen = func() {
		signals := a.Signals()
		go func() {
			for signal := range signals {
				if signal == syscall.SIGHUP && a.hangup != nil {
					select {
					case a.hangup <- struct{}{}:
					default: // one is pending already
					}
					continue
				}
				if ctx.Err() != nil {
					stopHard(errInterrupted)
				}
				stop(errInterrupted)
			}
		}()
	}
	a.ctx, a.hard, a.cancel = ctx, hard, func() {}
	defer func() { a.cancel() }()
	if err := a.singleDash(); err != nil {
		return a.report(err)
	}
	root := a.root()
	root.SetArgs(args)
	if cmd, err := root.ExecuteC(); err != nil {
		a.cmd = cmd // the hint may need it
		return a.report(err)
	}
	// A closed pipe is not an error: a reader such as head has seen enough.
	if err := a.ui.WriteError(); err != nil && !errors.Is(err, syscall.EPIPE) {
		a.ui.Error("writing the result: "+err.Error(), "")
		return max(a.code, exitProblems)
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "docker-vpn-helper",
		Short: "Find what broke between docker and its VM, repair it, verify it, undo it",
		Long: `docker-vpn-helper repairs the path from docker on a laptop to dockerd in a
docker-machine VM when a VPN has taken the host-only network away.

MACHINE is a machine in the docker-machine store. Where none is named it is
$DOCKER_MACHINE_NAME, else the only machine in the store, else "default".

Documentation: https://github.com/docker-vpn-helper/docker-vpn-helper`,
		Example: `  docker-vpn-helper doctor
  eval "$(docker-vpn-helper fix default)"
  docker-vpn-helper fix --timeout 2m default
  docker-vpn-helper undo default
  docker ps 2>&1 | docker-vpn-helper explain -`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknownCommand(args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return a.version()
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Annotations[reloads] != "" {
				a.hangup = make(chan struct{}, 1)
			}
			if !instant(cmd) {
				a.listen()
			}
			return a.checkGlobals(cmd)
		},
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetUsageFunc(func(c *cobra.Command) error { return usageText(c.OutOrStderr(), c, a.ui.Columns()) })
	root.CompletionOptions.DisableDefaultCmd = true
	cobra.EnableCommandSorting = false // keep our own order: first what most people need
	root.SetFlagErrorFunc(a.flagError)
	root.Flags().BoolVar(&version, "version", false, "print the version")
	a.globalFlags(root)
	a.addCommands(root)
	return root
}

// addCommands adds all commands with their help and completion.
func (a *app) addCommands(root *cobra.Command) {
	root.SetHelpFunc(a.help(root.HelpFunc()))
	a.table = a.all()
	root.AddGroup(groups()...)
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(a.helpCmd())
	root.SetHelpCommandGroupID("setup")
	withDefaults(root)
	if a.completing() {
		a.complete(root)
	}
}

func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&a.storage, "storage-path", "s", "", "use the machine store in `DIR` (default $MACHINE_STORAGE_PATH, else ~/.docker/machine)")
	f.StringVarP(&a.host, "host", "H", "", "work on `HOST` where it is not the last argument: a machine, local, ssh://..., tcp://... or context:NAME")
	f.BoolVar(&a.ui.JSON, "json", false, "print one JSON object and nothing else")
	a.ui.JSON = wantsJSON(a.args)
	f.BoolVarP(&a.ui.Verbose, "verbose", "v", false, "log each step to stderr")
	f.BoolVarP(&a.yes, "yes", "y", false, "answer yes to every question, such as whether containers may be stopped")
	f.DurationVar(&a.timeout, "timeout", 0, "give up and roll back after `DURATION`, such as 90s or 2m (default none)")
	f.StringVar(&a.color, "color", string(ui.Auto), "color the output `WHEN`: auto, always, never")
}

// reloads is the annotation of a command that SIGHUP does not stop.
const reloads = "reloads"

// instant reports whether a command neither waits nor changes anything. Such a command does not
// listen for signals: it may be killed at any moment, and listening would take a tenth of its time
// while a shell prompt waits.
func instant(cmd *cobra.Command) bool {
	set := func(flag string) bool { f := cmd.Flags().Lookup(flag); return f != nil && f.Value.String() == "true" }
	switch cmd.Name() {
	case "version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return true
	case "env":
		return set("no-verify") || set("unset")
	}
	return false
}

// checkGlobals checks the global flags.
func (a *app) checkGlobals(cmd *cobra.Command) error {
	a.cmd = cmd
	if f := cmd.Flags().Lookup("host"); f.Changed && a.host == "" {
		return misused(a.helpOf(cmd), "--host is empty: it takes a docker host")
	} else if f.Changed && !takesHost(cmd) {
		return misused(a.helpOf(cmd), "%s works on no docker host", cmd.Name())
	}
	c, err := ui.ParseColor(a.color)
	if err != nil {
		return misused(a.nearestOf(a.color, []string{string(ui.Auto), string(ui.Always), string(ui.Never)}, a.corrected(a.color, string(ui.Auto))), "%v", err)
	}
	a.ui.Color = c
	if f := cmd.Flags().Lookup("shell"); f != nil && f.Changed && f.Value.String() == "" {
		// --shell "$VARIABLE" with an empty variable does not mean the calling shell.
		return misused(a.helpOf(cmd), "--shell is empty: it takes one of %s", strings.Join(shell.Names(), " "))
	}
	if a.timeout < 0 {
		return misused(a.corrected(a.timeout.String(), (-a.timeout).String()), "--timeout takes a positive duration, not %s", a.timeout)
	}
	if a.timeout > 0 {
		a.ctx, a.cancel = context.WithTimeoutCause(a.ctx, a.timeout, errTimeout)
	}
	return nil
}

// wantsJSON reports whether the command line has --json. It also works on a command line that
// cannot be parsed.
func wantsJSON(args []string) (wants bool) {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			wants = true
		} else if value, ok := strings.CutPrefix(arg, "--json="); ok {
			wants, _ = strconv.ParseBool(value)
		}
	}
	return wants
}
