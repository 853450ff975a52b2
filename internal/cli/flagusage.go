package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// minFlagText is the minimum width for a flag's description beside its name, in columns. With less,
// the description is printed below the name.
const minFlagText = 30

// flagUsages returns the part of help that lists the flags, wrapped at columns.
func flagUsages(flags *pflag.FlagSet, columns int) string {
	type line struct{ name, text string }
	var lines []line
	widest := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		value, text := pflag.UnquoteUsage(f)
		if value != "" {
			name += " " + value
		}
		if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		lines = append(lines, line{name, text})
		widest = max(widest, len(name))
	})
	var b strings.Builder
	for _, l := range lines {
		lead, indent := fmt.Sprintf("%-*s   ", widest, l.name), strings.Repeat(" ", widest+3)
		if columns-len(indent) < minFlagText {
			indent = "          "
			lead = l.name + "\n" + indent
		}
		for _, text := range ui.Wrap(l.text, columns-len(indent)) {
			b.WriteString(lead + text + "\n")
			lead = indent
		}
	}
	return b.String()
}
