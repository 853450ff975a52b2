package cli

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// advice returns the command lines that explain prints, for the machine dev.
func advice() map[string][]string {
	all := map[string][]string{}
	for _, e := range explain.All() {
		for _, system := range []string{"darwin", "linux", "windows"} {
			for _, networks := range []bool{false, true} {
				laptop := explain.Laptop{System: system, Machine: "dev", Program: "docker-vpn-helper", HostOnlyNetworks: func() bool { return networks }}
				all[e.ID] = append(all[e.ID], e.On(laptop, "").Run...)
			}
		}
	}
	for _, code := range docs.Codes() {
		page, _ := docs.Page(code)
		for line := range strings.Lines(pageFor(page, "dev", "docker-vpn-helper")) {
			if strings.HasPrefix(line, "    ") {
				all[code] = append(all[code], strings.TrimSpace(line))
			}
		}
	}
	return all
}

func TestAdviceIsOfCommandsThatExist(t *testing.T) {
	ours := regexp.MustCompile(`docker-vpn-helper ([^"#)|&]*)`)
	others := regexp.MustCompile(`(docker-machine|VBoxManage) .*\bdefault\b`)
	n := 0
	for id, lines := range advice() {
		for _, line := range lines {
			if others.MatchString(line) {
				t.Errorf("%s: %s: not for the machine that is meant", id, line)
			}
			for _, m := range ours.FindAllStringSubmatch(line, -1) {
				n++
				a := &app{ui: ui.New(strings.NewReader(""), nil, nil, nil)}
				cmd, rest, err := a.root().Find(strings.Fields(m[1]))
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
				if err != nil || !cmd.HasParent() {
					t.Errorf("%s: %s: %v", id, line, err)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d commands were looked at", n)
	}
}

// programs are the words that may begin a line of "Run:". Prose belongs under "Do:".
var programs = strings.Fields(`docker-vpn-helper docker-machine docker docker-compose VBoxManage eval sudo minikube kubectl brew colima
	apt-get ssh ssh-keygen ssh-add scp curl openssl nslookup ping route ip ifconfig netstat netsh tracert scutil lsof pgrep ps tasklist kill
	ls cat grep find tail du df rm mv cp mkdir chmod chown touch sed file stat echo date id uname hostname which where env getent
	export unset newgrp groups git open printf rancher-machine systemctl journalctl launchctl sc systeminfo bcdedit wsl dmesg lsmod mokutil winpty security`)

func TestAdviceIsOfCommandsOnly(t *testing.T) {
	assignment := regexp.MustCompile(`^[A-Z_]+=\S*$`)
	for id, lines := range advice() {
		for _, line := range lines {
			words := strings.Fields(strings.Replace(line, ";", " ;", 1))
			for len(words) > 1 && assignment.MatchString(words[0]) {
				words = words[1:]
			}
			if !slices.Contains(programs, words[0]) {
				t.Errorf("%s: no command: %s", id, line)
			}
		}
	}
}

// explain with a code that doctor prints shows that finding's page, even if a message has the same
// name.
func TestACodeHasTheFindingsPage(t *testing.T) {
	home, both := homeWith(t, "default"), 0
	for _, code := range docs.Codes() {
		if _, message := explain.ByID(code); message {
			both++
			_, stdout, _ := run(t, home, "explain --json "+code)
			if !strings.Contains(stdout, `"page":`) {
				t.Errorf("explain %s: %s", code, stdout)
			}
		}
	}
	if both < 8 {
		t.Errorf("only %d codes have a message of their name", both)
	}
}

func TestExplainListsWhatItKnows(t *testing.T) {
	home := homeWith(t, "default")
	for line, want := range map[string][]string{
		"explain":         {"route.hijacked ", "docker.timeout ", "vbox.vm-unknown ", "A VPN has taken the host-only network\n"},
		"explain route":   {"route.hijacked ", "route.not-in-table"},
		"explain docker.": {"docker.timeout "},
	} {
		code, stdout, stderr := run(t, home, line)
		if code != exitOK || stderr != "" {
			t.Errorf("%s: exit %d\n%s", line, code, stderr)
		}
		for _, text := range want {
			if !strings.Contains(stdout, text) {
				t.Errorf("%s: %q is missing:\n%s", line, text, stdout)
			}
		}
		if line == "explain" && strings.Count(stdout, "\n") != len(codesAndNames()) {
			t.Errorf("%d lines for %d codes", strings.Count(stdout, "\n"), len(codesAndNames()))
		}
		if line == "explain route" && strings.Contains(stdout, "docker.") {
			t.Errorf("%s has other codes:\n%s", line, stdout)
		}
	}
}

func TestATailKeepsTheEnd(t *testing.T) {
	for _, size := range []int{1, 100, kept - 1, kept, kept + 1, 5 * kept} {
		var w tail
		for range 7 {
			w.Write([]byte(strings.Repeat("x", size)))
			w.Write([]byte("the end"))
		}
		all := strings.Repeat(strings.Repeat("x", size)+"the end", 7)
		if want := all[max(0, len(all)-kept):]; w.String() != want {
			t.Errorf("after writes of %d bytes %d are kept, not the last %d", size, len(w.String()), len(want))
		}
		if len(w.b) > 2*kept {
			t.Errorf("after writes of %d bytes, %d are held", size, len(w.b))
		}
	}
}
