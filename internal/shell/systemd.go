package shell

import "strings"

// Systemd quotes a command line for a unit's Exec lines, so that every argument stays unchanged:
// without specifiers and variables (systemd.service(5), "Command lines"; systemd.unit(5),
// "Specifiers").
func Systemd(argv ...string) string {
	quoted := make([]string, len(argv))
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`, "\t", `\t`)
	for i, arg := range argv {
		quoted[i] = escape.Replace(arg)
		if arg == "" || strings.ContainsAny(arg, " '\";\\\n\t") {
			quoted[i] = `"` + quoted[i] + `"`
		}
	}
	return strings.Join(quoted, " ")
}
