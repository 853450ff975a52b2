package cmdline

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	synopsis = regexp.MustCompile(`(?m)^\\fB(docker-vpn-helper[^\\]*?) \[flags\]\\fP`)
	// Options in a synopsis are also listed as options: "[--allow PORT[/udp],...]".
	synopsisOption = regexp.MustCompile(` \[-[^\[\]]*(?:\[[^\]]*\][^\[\]]*)?\]`)
	manOption      = regexp.MustCompile(`(?m)^(?:\\fB(-\w)\\fP, )?\\fB(--[\w-]+)\\fP(?:=\S*| \\fI\S+\\fP)?\n(.*)`)
	// A description names the flag's value in capitals.
	manValue = regexp.MustCompile(`\\fB[A-Z]+\\fR`)
)

// ownUsage parses one of this program's man pages.
func ownUsage(page string) (usage, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return usage{}, err
	}
	m := synopsis.FindSubmatch(text)
	if m == nil {
		return usage{}, fmt.Errorf("%s has no synopsis", page)
	}
	words := strings.Fields(strings.NewReplacer("[", "", "]", "?", " | - | -- COMMAND...", "", " COMMAND", "").Replace(synopsisOption.ReplaceAllString(string(m[1]), "")))
	u := usage{program: words[0], words: words[1:]}
	for _, o := range manOption.FindAllSubmatch(text, -1) {
		value := ""
		if manValue.Match(o[3]) {
			value = "VALUE"
		}
		for _, name := range o[1:3] {
			if len(name) > 0 {
				u.options = append(u.options, option{name: string(name), value: value})
			}
		}
	}
	return u, nil
}
