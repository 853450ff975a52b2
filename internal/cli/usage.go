package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// usageText writes what help prints below a command's description, wrapped at columns. Examples
// come first, because most people look for them.
func usageText(w io.Writer, c *cobra.Command, columns int) error {
	var b strings.Builder
	section := func(head, body string) {
		if body = strings.Trim(body, "\n"); body != "" {
			fmt.Fprintf(&b, "%s:\n%s\n\n", head, body)
		}
	}
	section("Examples", c.Example)
	lines := "  " + c.UseLine()
	switch {
	case c.HasAvailableSubCommands() && !strings.Contains(c.Use, "["): // the command does nothing without a subcommand
		lines = "  " + c.CommandPath() + " COMMAND [flags]"
	case c.HasAvailableSubCommands():
		lines += "\n  " + c.CommandPath() + " COMMAND [flags]"
	}
	section("Usage", lines)
	if len(c.Aliases) > 0 {
		section("Aliases", "  "+c.NameAndAliases())
	}
	for _, group := range append(c.Groups(), &cobra.Group{Title: "Commands"}) {
		section(group.Title, subcommands(c, group.ID, columns))
	}
	section("Flags", flagUsages(c.LocalFlags(), columns))
	if c.HasInheritedFlags() {
		host := ""
		if takesHost(c) {
			host = "-H, "
		}
		section("Global flags", "  "+strings.Join(ui.Wrap("-s, "+host+"--json, -v, -y, --timeout, --color: see docker-vpn-helper --help", columns-2), "\n  "))
	}
	_, command, _ := strings.Cut(c.CommandPath(), " ")
	var statuses strings.Builder
	for _, status := range exits(command) {
		code, means, _ := strings.Cut(status, " ")
		fmt.Fprintf(&statuses, "  %-3s  %s\n", code, strings.Join(ui.Wrap(means, max(columns-7, 20)), "\n       "))
	}
	section("Exit status", statuses.String())
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "%s COMMAND --help describes a command.\n\n", c.CommandPath())
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}

// subcommands returns the lines of help about a command's subcommands in one group.
func subcommands(c *cobra.Command, group string, columns int) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.GroupID != group || !sub.IsAvailableCommand() && sub.Name() != "help" {
			continue
		}
		lead := fmt.Sprintf("  %-*s  ", sub.NamePadding(), sub.Name())
		for _, line := range ui.Wrap(sub.Short, max(columns-len(lead), 20)) {
			b.WriteString(lead + line + "\n")
			lead = strings.Repeat(" ", len(lead))
		}
	}
	return b.String()
}

// withDefaults adds to the help of a command and its subcommands which docker host they use if none
// is named.
func withDefaults(c *cobra.Command) {
	const machine = `$DOCKER_MACHINE_NAME, else the only machine in the store, else "default"`
	text := ""
	switch {
	case strings.Contains(c.Long, "DOCKER_MACHINE_NAME"):
	case strings.Contains(c.Use, "MACHINE"):
		text = "Without MACHINE it is " + machine + "."
	case strings.Contains(c.Use, "HOST"):
		text = "Without HOST it is " + machine + "; where the store has no machine, what docker itself uses now."
	}
	if text != "" {
		if c.Long == "" {
			c.Long = c.Short + "."
		}
		c.Long += "\n\n" + strings.Join(ui.Wrap(text, maxHelp), "\n")
	}
	for _, sub := range c.Commands() {
		withDefaults(sub)
	}
}

// takesHost reports whether a command works on a docker host, according to its usage line.
func takesHost(cmd *cobra.Command) bool {
	return strings.Contains(cmd.Use, "MACHINE") || strings.Contains(cmd.Use, "HOST")
}
