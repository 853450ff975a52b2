package cli

// exits are what the exit statuses of a command mean, for its help and its man page: empty
// where it never ends with one. The empty command is the program.
func exits(command string) []string {
	switch command {
	case "cert", "guard", "modules": // they only have subcommands
		return nil
	case "doctor":
		return looks("healthy, perhaps with warnings", "problems found", "could not tell")
	case "env":
		return looks("the variables are printed", "the endpoint does not answer", "")
	case "ls":
		return looks("the machines are listed", "the store cannot be read", "--timeout was over before all machines were looked at")
	case "explain":
		return looks("explained, or the command succeeded", "the command failed", "unrecognized message")
	case "cert show":
		return looks("at least one server certificate was found", "the machine cannot be read", "no server certificate was found")
	case "cert client", "proxy init":
		return looks("the certificates are made", "nothing was written", "")
	case "ports":
		return looks("the ports are listed", "the docker host cannot be read", "the docker host does not answer")
	case "ports follow":
		return looks("ended by Ctrl-C, SIGTERM, SIGHUP or a closed pipe", "the ports are served already", "the docker host does not answer")[:exitInterrupted]
	case "ports status":
		return looks("the ports are served", "they are not", "")
	case "reach":
		return acts("reachable", "blocked", "a rule that cannot be evaluated decides, or the docker host does not answer", root, "")
	case "guard status":
		return acts("as it should be, or off", "something is not as guard has left it", "the docker host could not be asked", root, "")
	case "proxy":
		return looks("ended by a signal, or --check found nothing wrong", "it cannot listen, or --check found a problem", "")[:exitInterrupted]
	case "shell-init", "completion", "version":
		return looks("printed", "it cannot be printed", "")
	case "allow":
		return acts("it can be reached; --list: as it should be", "the change was rolled back; --list: something is not as allow has left it", "could not tell", root, incomplete)
	case "deny", "guard start", "guard stop", "guard allow", "guard deny", "guard confirm":
		return acts("done, or nothing needs to be done", "the change failed and was rolled back", "could not tell", root, incomplete)
	case "undo":
		return acts("undone, or there is nothing to undo", "nothing was undone", "could not tell", first, incomplete)
	case "fix":
		return acts("healthy, or repaired and verified", "the repair failed and was rolled back; --dry-run: problems found", "could not tell", first, incomplete)
	case "":
		return acts("healthy, or repaired and verified", "problems found, or the repair failed and was rolled back", "could not tell", first, incomplete)
	}
	return acts("done, or nothing needs to be done", "the change failed and was rolled back", "could not tell", first, incomplete)
}

const (
	first      = "you must act first: disconnect the VPN, stop VMs, confirm, or give sudo a terminal"
	root       = "you must act first: root on the docker host is needed, or a confirmation"
	incomplete = "the rollback is incomplete; undo resumes it"
)

// looks are the exit statuses of a command that changes nothing and needs nothing done first.
func looks(good, bad, unclear string) []string {
	return []string{exitOK: good, exitProblems: bad, exitUsage: "wrong usage, or unknown machine", exitUnknown: unclear, exitInterrupted: "interrupted"}
}

// acts are those of a command that may need something done first.
func acts(good, bad, unclear, before, left string) []string {
	all := looks(good, bad, unclear)
	all[exitUserAction], all[exitIncomplete] = before, left
	if left != "" {
		all[exitInterrupted] = "interrupted, and rolled back"
	}
	return all
}
