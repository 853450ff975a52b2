package cli

import "strings"

// The exit statuses from 2 on, with their meanings, of several commands.
const (
	printing = " | 2 wrong usage, or unknown machine | 130 interrupted"
	serving  = " | 2 wrong usage, or unknown machine"
	asking   = " | 2 wrong usage, or unknown machine | 4 could not tell, or no answer | 130 interrupted"
	asRoot   = " | 2 wrong usage, or unknown machine | 3 you must act first: root on the docker host is needed, or a confirmation | 4 could not tell, or no answer | "
	changing = " | 2 wrong usage, or unknown machine | 3 you must act first: disconnect the VPN, stop VMs, confirm, or give sudo a terminal | 4 could not tell | " + rollback
	rollback = "5 the rollback is incomplete; undo resumes it | 130 interrupted, and rolled back"

	changed = "0 done, or nothing needs to be done | 1 the change failed and was rolled back"
)

// exitStatuses are those of the commands that differ from most. "" is for a command that only has
// subcommands.
var exitStatuses = map[string]string{
	"":             "0 healthy, or repaired and verified | 1 problems found, or the repair failed and was rolled back" + changing,
	"doctor":       "0 healthy, perhaps with warnings | 1 problems found" + asking,
	"fix":          "0 healthy, or repaired and verified | 1 the repair failed and was rolled back; --dry-run: problems found" + changing,
	"undo":         "0 undone, or there is nothing to undo | 1 nothing was undone" + changing,
	"env":          "0 the variables are printed | 1 the endpoint does not answer" + printing,
	"ls":           "0 the machines are listed | 1 the store cannot be read" + asking,
	"explain":      "0 explained, or the command succeeded | 1 the command failed | 2 wrong usage | 4 unrecognized message | 130 interrupted",
	"cert":         "",
	"cert show":    "0 at least one server certificate was found | 1 the machine cannot be read | 2 wrong usage, or unknown machine | 4 no server certificate was found | 130 interrupted",
	"cert client":  "0 the certificate is made | 1 nothing was written" + printing,
	"modules":      "",
	"ports":        "0 the ports are listed | 1 the docker host cannot be read" + asking,
	"ports follow": "0 ended by Ctrl-C, SIGTERM, SIGHUP or a closed pipe | 1 the ports are served already" + serving + " | 4 the docker host does not answer",
	"ports status": "0 the ports are served | 1 they are not" + printing,
	"reach":        strings.Replace("0 reachable | 1 blocked"+asRoot+"130 interrupted", "could not tell", "a rule that cannot be evaluated decides", 1),
	"allow":        "0 it can be reached; --list: as it should be | 1 the change was rolled back; --list: something is not as allow has left it" + asRoot + rollback,
	"deny":         changed + asRoot + rollback,
	"guard":        "",
	"guard status": "0 as it should be, or off | 1 something is not as guard has left it" + asRoot + "130 interrupted",
	"proxy":        "0 ended by a signal, or --check found nothing wrong | 1 it cannot listen, or --check found a problem" + serving,
	"proxy init":   "0 the certificates are made | 1 nothing was written" + printing,
	"shell-init":   "0 printed | 1 it cannot be printed" + printing,
	"completion":   "0 printed | 1 it cannot be printed" + printing,
	"help":         "0 printed | 1 it cannot be printed" + printing,
	"version":      "0 printed | 1 it cannot be printed" + printing,
}

// exits returns the exit statuses of a command for its help and its man page, each as a number and
// its meaning. The command "" is the program itself.
func exits(command string) []string {
	text, own := exitStatuses[command]
	switch {
	case own && text == "":
		return nil
	case !own && strings.HasPrefix(command, "guard "):
		text = exitStatuses["deny"]
	case !own:
		text = changed + changing
	}
	return strings.Split(text, " | ")
}
