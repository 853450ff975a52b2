package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// advice are the command lines that explain prints, for the machine dev.
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
