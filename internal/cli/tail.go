package cli

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"

// tail is a writer that keeps only the end of what is written to it, because that is where an error
// message is.
type tail struct{ b []byte }

// kept is how many bytes are kept: twice explain's limit, because UTF-16 has two bytes for each
// letter.
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
