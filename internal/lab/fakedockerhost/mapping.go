package fakedockerhost

import (
	"bytes"
	"io"
)

// mapped are the directories below the guest's root directory. The list is deliberately long: a
// script that writes to another path would write to the computer that runs the test. In /proc,
// files about processes are the computer's and the others the guest's; "/proc/[" is the glob for
// all processes. proc means that all of /proc is the guest's, because the computer has none.
func mapped(proc bool) []string {
	dirs := []string{
		"/usr/lib/systemd", "/lib/systemd", "/usr/local/etc", "/etc", "/var", "/run", "/home", "/root", "/tmp", "/opt", "/mnt", "/srv",
	}
	if proc {
		return append(dirs, "/proc")
	}
	return append(dirs, "/proc/net", "/proc/sys", "/proc/[0-9]")
}

// programDirs are mapped as well, but only inside a list such as PATH. They do not exist there: the
// guest has only the programs in Dir/bin.
func programDirs() []string {
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

// newInward returns a writer that rewrites for the guest below root.
func newInward(root string, to io.Writer) *inward {
	return &inward{root: root, to: to, proc: ownProc()}
}

// inward rewrites text on its way into the guest: absolute paths become paths below root.
type inward struct {
	root string
	proc bool // all of /proc is the guest's
	to   io.Writer
	held []byte // read, but its meaning depends on what follows
	last [3]byte
}

func (m *inward) Write(p []byte) (int, error) {
	data := append(m.held, p...)
	out, rest := m.rewrite(data, false)
	m.held = append([]byte(nil), rest...)
	if _, err := m.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what was held back: nothing follows.
func (m *inward) Flush() error {
	out, _ := m.rewrite(m.held, true)
	m.held = nil
	_, err := m.to.Write(out)
	return err
}

func (m *inward) rewrite(data []byte, final bool) (out, rest []byte) {
	for i := 0; i < len(data); {
		if data[i] != '/' || !m.startsPath() {
			m.pass(data[i])
			out = append(out, data[i])
			i++
			continue
		}
		dir, partial := m.matchDir(data[i:], final)
		if partial {
			return out, data[i:]
		}
		if dir != "" {
			out = append(out, m.root...)
		}
		n := max(len(dir), 1)
		for _, b := range data[i : i+n] {
			m.pass(b)
		}
		out = append(out, data[i:i+n]...)
		i += n
	}
	return out, nil
}

func (m *inward) pass(b byte) { m.last = [3]byte{m.last[1], m.last[2], b} }

// startsPath reports whether a slash here begins a path: not inside another path or word, except
// after "unix://".
func (m *inward) startsPath() bool {
	b := m.last[2]
	if b == '/' {
		return m.last == [3]byte{':', '/', '/'}
	}
	return !wordByte(b) && b != '.' && b != '~' && b != '}' && b != ')' && b != '*' && b != ']'
}

// matchDir returns the mapped directory at the start of data. partial means that more data is
// needed to decide.
func (m *inward) matchDir(data []byte, final bool) (dir string, partial bool) {
	dirs := mapped(m.proc)
	if m.last[2] == ':' {
		dirs = append(dirs, programDirs()...)
	}
	for _, d := range dirs {
		if bytes.HasPrefix(data, []byte(d)) {
			if len(data) == len(d) {
				return d, !final
			}
			if !wordByte(data[len(d)]) {
				return d, false
			}
		} else if !final && len(data) < len(d) && bytes.HasPrefix([]byte(d), data) {
			partial = true
		}
	}
	return "", partial
}

func wordByte(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// mapIn rewrites a whole text.
func mapIn(root, text string) string {
	var b bytes.Buffer
	m := newInward(root, &b)
	_, _ = m.Write([]byte(text))
	_ = m.Flush()
	return b.String()
}

// outward rewrites text on its way out of the guest: it removes the root directory from paths.
type outward struct {
	root string
	to   io.Writer
	held []byte
}

func (m *outward) Write(p []byte) (int, error) {
	data := bytes.ReplaceAll(append(m.held, p...), []byte(m.root), nil)
	keep := 0
	for n := min(len(m.root)-1, len(data)); n > 0; n-- {
		if bytes.HasPrefix([]byte(m.root), data[len(data)-n:]) {
			keep = n
			break
		}
	}
	m.held = append([]byte(nil), data[len(data)-keep:]...)
	if _, err := m.to.Write(data[:len(data)-keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (m *outward) Flush() error {
	_, err := m.to.Write(m.held)
	m.held = nil
	return err
}
