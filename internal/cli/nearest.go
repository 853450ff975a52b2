package cli

import (
	"slices"
	"strings"
)

// nearest are the n words that take the fewest edits to become like word; one
// that has nothing to do with it is left out.
func nearest(word string, all []string, n int) []string {
	type scored struct {
		word string
		cost int
	}
	var list []scored
	for _, w := range all {
		cost := edits(word, w)
		_, noun, _ := strings.Cut(w, ".")
		if noun == word || strings.HasPrefix(w, word+".") || strings.HasPrefix(w, word) && word != "" {
			cost = 1 // the layer or the noun alone, or the beginning
		}
		if cost <= max(3, len(w)/2) {
			list = append(list, scored{w, cost})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.cost - b.cost })
	var out []string
	for _, s := range list[:min(n, len(list))] {
		out = append(out, s.word)
	}
	return out
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
