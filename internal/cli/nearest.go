package cli

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

// nearestOf returns this command line with word replaced by the nearest of all, or otherwise if
// none is near.
func (a *app) nearestOf(word string, all []string, otherwise hint.Hint) hint.Hint {
	if near := nearest(word, all, 1); len(near) > 0 {
		if line := a.corrected(word, near[0]); line != nil {
			return line
		}
	}
	return otherwise
}

// nearest returns up to n words of all that are most similar to word, ignoring case, the most
// similar first. Words that are too different are left out.
func nearest(word string, all []string, n int) []string {
	type scored struct {
		word string
		cost int
	}
	var list []scored
	if word == "" {
		return nil
	}
	word = strings.ToLower(word)
	for _, w := range all {
		lower := strings.ToLower(w)
		cost := 2 * edits(word, lower)
		switch _, noun, _ := strings.Cut(lower, "."); {
		case strings.HasPrefix(lower, word):
			cost = min(cost, 1) // all that was typed is right
		case noun == word:
			cost = min(cost, 2) // the code without its layer
		}
		if cost <= 2*max(1, (len(strings.TrimLeft(w, "-"))+1)/3) {
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

// edits returns the edit distance of two words: how many bytes must be inserted, removed, replaced,
// or swapped with their neighbor to turn a into b.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
