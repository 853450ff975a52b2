package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ticket"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

// reportFile returns the absolute path of the report, or an error if it cannot be written there:
// path must be a new file, or one that has a report already.
func (a *app) reportFile(s site, path string) (string, error) {
	refuse := func(why string) error {
		return &exitError{code: exitUsage, message: fmt.Sprintf("--report %s: %s", path, why), hint: hint.Run("docker-vpn-helper", "doctor", "--report", "docker-vpn-helper-report.txt")}
	}
	abs, err := filepath.Abs(path)
	// "-" is not allowed: the findings are already printed to standard output.
	if err != nil || path == "" || path == "-" || strings.ContainsRune(path, 0) {
		return "", refuse("not the name of a file")
	}
	entries, err := s.laptop.ReadDir(a.ctx, filepath.Dir(abs))
	if err != nil {
		return "", refuse(err.Error())
	}
	if strings.HasSuffix(path, string(filepath.Separator)) {
		return "", refuse("is a directory")
	}
	for _, e := range entries {
		switch {
		case e.Name() != filepath.Base(abs):
			continue
		case e.IsDir():
			return "", refuse("is a directory")
		case !e.Type().IsRegular():
			return "", refuse("is not a regular file")
		}
		data, err := s.laptop.ReadFile(a.ctx, abs)
		if err != nil {
			return "", refuse(err.Error())
		}
		if len(data) > 0 && !strings.HasPrefix(string(data), ticket.Heading) {
			return "", refuse("there is such a file already, and it is no report")
		}
	}
	if filepath.Base(abs) == string(filepath.Separator) {
		return "", refuse("is a directory")
	}
	return abs, nil
}

// writeTicket writes the report: what was found, and facts about the laptop.
func (a *app) writeTicket(s site, path string, began time.Time, reports []engine.Report) error {
	t := ticket.Ticket{Version: a.release(), Made: began, Took: a.Now().Sub(began), Reports: reports, Sections: a.laptopSections(s)}
	text := t.Text(a.private(s, reports))
	if err := s.laptop.WriteFile(a.ctx, path, []byte(text), 0o600); err != nil {
		err = fmt.Errorf("writing the report: %w", err)
		if a.ui.JSON {
			a.ui.Error(err.Error(), "")
			return &exitError{code: exitProblems, message: err.Error(), shown: true}
		}
		return err
	}
	a.ui.Say("report written to %s: its first lines list what was replaced; read it before you send it", path)
	return nil
}

// laptopSections returns versions, interfaces and routes of the laptop, collected side by side.
func (a *app) laptopSections(s site) []ticket.Section {
	questions := []struct {
		title, tool string
		also        []string
		args        []string
	}{
		{"operating system", "uname", nil, []string{"-srm"}},
		{"VirtualBox", "VBoxManage", installation.Paths(s.laptop.OS()), []string{"--version"}},
		{"docker", "docker", nil, []string{"version", "--format", "{{.Client.Version}} (API {{.Client.APIVersion}})"}},
		{"docker-machine", "docker-machine", nil, []string{"--version"}},
		{"routes", "ip", nil, []string{"route", "show", "table", "all"}},
		{"interfaces", "ip", nil, []string{"-brief", "address"}},
	}
	if s.laptop.OS() == host.Darwin {
		questions[0].tool, questions[0].args = "sw_vers", nil
		questions[4].tool, questions[4].args = "netstat", []string{"-rn"}
		questions[5].tool, questions[5].args = "ifconfig", []string{"-a"}
	}
	sections := make([]ticket.Section, len(questions))
	var wg sync.WaitGroup
	for i, q := range questions {
		wg.Go(func() {
			sections[i] = ticket.Section{Title: q.title, Text: a.ask(s, q.tool, q.also, q.args)}
		})
	}
	wg.Wait()
	return sections
}

// ask returns what a command prints, or why it failed.
func (a *app) ask(s site, tool string, also, args []string) string {
	ctx, cancel := context.WithTimeout(a.ctx, endpoint.ProbeTime)
	defer cancel()
	path, err := s.laptop.LookPath(tool, also...)
	if err != nil {
		return tool + " is not installed"
	}
	// Unset DOCKER_HOST: with it, docker would also ask the daemon for its version.
	out, err := s.laptop.Run(ctx, host.Cmd{Argv: append([]string{path}, args...), Env: []string{"DOCKER_HOST"}})
	text := strings.TrimSpace(string(out.Stdout))
	var exit *host.CmdError
	if err != nil && (text == "" || !errors.As(err, &exit)) {
		return strings.TrimSpace(text + "\n" + err.Error())
	}
	return text
}

// private returns the names of users and computers that must not appear in the report.
func (a *app) private(s site, reports []engine.Report) ticket.Private {
	home := a.Getenv("HOME")
	p := ticket.Private{Home: home, Users: []string{a.Getenv("USER"), a.Getenv("LOGNAME")}, Hosts: []string{a.Getenv("HOSTNAME"), a.Getenv("COMPUTERNAME")}}
	if home != "" {
		p.Users = append(p.Users, filepath.Base(home))
	}
	if name := a.ask(s, "hostname", nil, nil); !strings.ContainsAny(name, " \n") {
		p.Hosts = append(p.Hosts, name)
	}
	for _, r := range reports {
		var unreadable *store.ConfigError
		m, err := s.store.Load(a.ctx, r.Machine)
		if err != nil && (errors.As(err, &unreadable) || errors.Is(err, fs.ErrNotExist)) {
			continue
		}
		p.Users = append(p.Users, m.SSHUser)
	}
	return p
}
