package cmdline

import "regexp"

var printedHint = regexp.MustCompile(`(?m)^docker-vpn-helper: hint: (.*)$`)

// Printed returns the hints in the program's standard error, in order.
func Printed(stderr string) (hints []string) {
	for _, m := range printedHint.FindAllStringSubmatch(stderr, -1) {
		hints = append(hints, m[1])
	}
	return hints
}
