package cmdline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
)

// ours are the programs of which every form that is printed must be known, and of use on the laptop.
var ours = regexp.MustCompile(`no usage of (docker-vpn-helper|docker-machine|VBoxManage) |^\["(docker-machine|VBoxManage)" .*: only where there is`)

// onlyFrom are messages that one kind of VirtualBox prints, whatever the one is that they are explained on.
var onlyFrom = map[string]string{
	"vbox.hostonly-unsupported": "networks", "vbox.vmnet": "networks",
	"vbox.no-hostonly-networks": "adapters", "vbox.adapter-windows": "adapters",
}

// TestExplanationsRunWhatExists: the commands that explain prints for a message, and those on the
// pages of troubleshooting.md, are forms that this program, docker-machine and VBoxManage
// accept. Steps in words, and other programs, are not looked at.
func TestExplanationsRunWhatExists(t *testing.T) {
	programs, err := Known("../../../docs/man")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	check := func(where, line string, on Laptop) {
		line, _, _ = strings.Cut(line, "   #")
		if err := programs.Check(strings.TrimSpace(line), on); err == nil {
			checked++
		} else if ours.MatchString(err.Error()) {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, system := range []string{"darwin", "linux"} {
		for _, networks := range []bool{false, true} {
			if networks && system != "darwin" {
				continue // which VirtualBox never has there
			}
			laptop := explain.Laptop{System: system, Machine: "default", Program: "docker-vpn-helper", HostOnlyNetworks: func() bool { return networks }}
			for _, e := range explain.All() {
				if from := onlyFrom[e.ID]; from != "" && networks != (from == "networks") {
					continue
				}
				for _, line := range e.On(laptop, "").Run {
					check(e.ID, line, Laptop{OS: system, Networks: &networks})
				}
			}
		}
	}
	for _, code := range docs.Codes() {
		page, _ := docs.Page(code)
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "    ") {
				check(code, line, Laptop{OS: "darwin"})
			}
		}
	}
	if checked < 300 {
		t.Errorf("only %d command lines were checked", checked)
	}
}
