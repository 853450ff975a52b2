// Package service has a login service as text: its launchd agent or systemd user unit, and
// the commands that start and stop it. It does no I/O.
package service

import (
	"encoding/xml"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Service is a program that runs while the user is logged in, and is started again when
// it crashes.
type Service struct {
	Name string   // "ports-default": it names the files
	What string   // a line for people
	Argv []string // the program by its absolute path
	Env  []string // "KEY=value"
	Home string   // the user's home directory
	UID  int      // the user's number
}

// Definition is what the operating system gets.
type Definition struct {
	Path  string // of its file
	Text  string
	Log   []string // the command that shows what it printed
	Start [][]string
	Stop  [][]string
}

// For is the definition for an operating system.
func (s Service) For(os string) Definition {
	if os == host.Darwin {
		return s.launchd()
	}
	return s.systemd()
}

// launchd is an agent as launchd.plist(5) has it. launchd itself waits 10 s between starts.
func (s Service) launchd() Definition {
	label := "com.docker-vpn-helper." + s.Name
	path := filepath.Join(s.Home, "Library", "LaunchAgents", label+".plist")
	log := filepath.Join(s.Home, "Library", "Logs", "docker-vpn-helper-"+s.Name+".log")
	var b strings.Builder
	b.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
`)
	text := func(s string) string {
		var t strings.Builder
		_ = xml.EscapeText(&t, []byte(s)) // a Builder takes everything
		return "<string>" + t.String() + "</string>"
	}
	key := func(name, value string) { fmt.Fprintf(&b, "\t<key>%s</key>\n\t%s\n", name, value) }
	list := make([]string, len(s.Argv))
	for i, arg := range s.Argv {
		list[i] = text(arg)
	}
	variables := make([]string, len(s.Env))
	for i, env := range s.Env {
		name, value, _ := strings.Cut(env, "=")
		variables[i] = "<key>" + name + "</key>" + text(value)
	}
	key("Label", text(label))
	key("ProgramArguments", "<array>"+strings.Join(list, "")+"</array>")
	key("EnvironmentVariables", "<dict>"+strings.Join(variables, "")+"</dict>")
	key("RunAtLoad", "<true/>")
	key("KeepAlive", "<dict><key>SuccessfulExit</key><false/></dict>")
	key("ProcessType", text("Background"))
	key("StandardOutPath", text(log))
	key("StandardErrorPath", text(log))
	b.WriteString("</dict>\n</plist>\n")
	domain := fmt.Sprintf("gui/%d", s.UID)
	return Definition{
		Path: path, Text: b.String(), Log: []string{"tail", "-n", "20", log},
		Start: [][]string{{"launchctl", "bootstrap", domain, path}},
		Stop:  [][]string{{"launchctl", "bootout", domain + "/" + label}},
	}
}

// systemd is a unit of the user's own systemd (systemd.unit(5), systemd.service(5)). It is
// never given up: the docker host may be away for days.
func (s Service) systemd() Definition {
	unit := "docker-vpn-helper-" + s.Name + ".service"
	argv := make([]string, len(s.Argv))
	for i, arg := range s.Argv {
		argv[i] = quote(strings.ReplaceAll(arg, "$", "$$"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s\nStartLimitIntervalSec=0\n\n[Service]\nExecStart=%s\n", strings.ReplaceAll(s.What, "%", "%%"), strings.Join(argv, " "))
	for _, env := range s.Env {
		fmt.Fprintf(&b, "Environment=%s\n", quote(env))
	}
	b.WriteString("Restart=on-failure\nRestartSec=5\n\n[Install]\nWantedBy=default.target\n")
	systemctl := func(args ...string) []string { return append([]string{"systemctl", "--user"}, args...) }
	return Definition{
		Path: filepath.Join(s.Home, ".config", "systemd", "user", unit), Text: b.String(),
		Log:   []string{"journalctl", "--user", "-n", "20", "-u", unit},
		Start: [][]string{systemctl("daemon-reload"), systemctl("enable", "--now", unit)},
		Stop:  [][]string{systemctl("disable", "--now", unit)},
	}
}

// quote is a word of a unit file. % stands for specifiers there.
func quote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\n", `\n`, "\t", `\t`).Replace(word) + `"`
}

// Stable is a path of a program that a package manager's upgrade does not remove:
// Homebrew's link in its bin directory in place of the file in its Cellar. exists reports
// whether there is such a file.
func Stable(program string, exists func(string) bool) string {
	parts := strings.Split(program, "/")
	i := slices.Index(parts, "Cellar")
	if i < 0 {
		return program
	}
	if link := strings.Join(append(slices.Clone(parts[:i]), "bin", parts[len(parts)-1]), "/"); exists(link) {
		return link
	}
	return program
}
