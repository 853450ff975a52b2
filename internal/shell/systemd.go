package shell

import "strings"

// Systemd writes a command line for a unit's Exec lines, with every argument as it is: quoted,
// and without specifiers and variables (systemd.service(5), "Command lines"; systemd.unit(5),
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
