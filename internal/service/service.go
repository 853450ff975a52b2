// Package service has the text of a login service, a launchd agent or a systemd user unit, and the
// commands that start and stop it. Pure.
package service

import (
	"encoding/xml"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Service is a program that runs while the user is logged in, and is restarted when it fails.
type Service struct {
	Name string   // becomes part of file names: "ports-default"
	What string   // a description in one line
	Argv []string // the command, with the absolute path of the program
	Env  []string // "KEY=value"
	Home string   // the user's home directory
	UID  int      // the user's ID
}

// Definition is a service for one operating system.
type Definition struct {
	Path  string     // of its file
	Text  string     // of its file
	Log   []string   // the command that shows its log
	Start [][]string // the commands that start it, now and at login
	Stop  [][]string // the commands that stop it
}

// For returns the definition for an operating system, named as host.Laptop names it.
func (s Service) For(os string) Definition {
	if os == host.Darwin {
		return s.launchd()
	}
	return s.systemd()
}

// launchd returns the definition of a launchd agent (launchd.plist(5)). launchd waits 10 s between
// restarts by itself.
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
		_ = xml.EscapeText(&t, []byte(s)) // writing to a Builder cannot fail
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

// systemd returns the definition of a systemd user unit (systemd.unit(5), systemd.service(5)). systemd
// never stops restarting it, because the docker host may be unreachable for days.
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

// quote quotes a word for a unit file, where % begins specifiers.
func quote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "\n", `\n`, "\t", `\t`).Replace(word) + `"`
}

// Stable returns a path of the program that stays valid when Homebrew upgrades it: the link in
// Homebrew's bin directory instead of the file in its Cellar, if exists reports that there is one.
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
