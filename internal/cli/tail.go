package cli

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"

// tail is a writer that keeps the end of what is written to it: of what a command prints that
// explain is to explain, the message stands at the end.
type tail struct{ b []byte }

// kept is explain's limit twice: a text in UTF-16 has two bytes a letter.
const kept = 2 * explain.MaxText

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > kept {
		p = p[n-kept:]
	}
	if len(t.b)+len(p) > 2*kept {
		t.b = append(t.b[:0], t.b[len(t.b)-kept:]...)
	}
	t.b = append(t.b, p...)
	return n, nil
}

func (t *tail) String() string { return string(t.b[max(0, len(t.b)-kept):]) }
