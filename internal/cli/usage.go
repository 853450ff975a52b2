package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// usageText is what help prints below a command's description: examples first, since
// that is what most people look for.
// Lines are broken to fit columns.
func usageText(w io.Writer, c *cobra.Command, columns int) error {
	var b strings.Builder
	section := func(head, body string) {
		if body = strings.Trim(body, "\n"); body != "" {
			fmt.Fprintf(&b, "%s:\n%s\n\n", head, body)
		}
	}
	section("Examples", c.Example)
	lines := "  " + c.UseLine()
	if c.HasAvailableSubCommands() {
		lines += "\n  " + c.CommandPath() + " COMMAND"
	}
	section("Usage", lines)
	if len(c.Aliases) > 0 {
		section("Aliases", "  "+c.NameAndAliases())
	}
	var commands strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			lead := fmt.Sprintf("  %-*s  ", sub.NamePadding(), sub.Name())
			for _, line := range ui.Wrap(sub.Short, max(columns-len(lead), 20)) {
				commands.WriteString(lead + line + "\n")
				lead = strings.Repeat(" ", len(lead))
			}
		}
	}
	section("Commands", commands.String())
	section("Flags", c.LocalFlags().FlagUsagesWrapped(columns))
	if c.HasInheritedFlags() {
		section("Global flags", "  -s, --json, -v, -y, --timeout, --color: see docker-vpn-helper --help")
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "%s COMMAND --help describes a command.\n\n", c.CommandPath())
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n"))
	return err
}
