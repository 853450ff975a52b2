package cmdline

import "regexp"

var printedHint = regexp.MustCompile(`(?m)^docker-vpn-helper: hint: (.*)$`)

// Printed are the hints of an error, in the order in which the program has printed them.
func Printed(stderr string) (hints []string) {
	for _, m := range printedHint.FindAllStringSubmatch(stderr, -1) {
		hints = append(hints, m[1])
	}
	return hints
}
