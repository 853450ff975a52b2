package proxy

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// maxHead is the largest request head with --read-only, in bytes.
const maxHead = 64 << 10

// filter lets through GET and HEAD requests without a body, one complete head after the other, until it
// refuses one. It is stricter than dockerd: it accepts only requests that every parser reads alike.
type filter struct {
	read     func([]byte) (int, error) // reads from the client
	deadline func(time.Time) error     // sets the deadline of read; the zero Time removes it
	patience time.Duration             // for the rest of a head after its first bytes
	cut      func()                    // called when a request is refused

	buf     []byte
	good    int // the first bytes of buf are heads that are let through
	refused atomic.Pointer[refused]
}

// refused is the request that was refused.
type refused struct {
	*refusal
	head bool // it is a HEAD request
}

// Read returns only bytes of complete heads, and io.EOF after a refusal.
func (f *filter) Read(p []byte) (int, error) {
	for f.good == 0 {
		if f.refused.Load() != nil {
			return 0, io.EOF
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
		f.scan()
	}
	n := copy(p, f.buf[:f.good])
	f.buf = append(f.buf[:0], f.buf[n:]...)
	f.good -= n
	return n, nil
}

// fill reads more from the client. If it has the beginning of a head, the rest must come in time.
func (f *filter) fill() error {
	if f.buf == nil {
		f.buf = make([]byte, 0, 2<<10)
	}
	begun := len(f.buf) > 0
	if begun {
		_ = f.deadline(time.Now().Add(f.patience))
	}
	f.buf = slices.Grow(f.buf, 1<<10)
	n, err := f.read(f.buf[len(f.buf):min(cap(f.buf), maxHead)])
	f.buf = f.buf[:len(f.buf)+n]
	if begun && err == nil {
		err = f.deadline(time.Time{})
	}
	if n > 0 {
		return nil // the next read returns the error again
	}
	return err
}

// scan judges all complete heads in buf.
func (f *filter) scan() {
	for {
		rest := f.buf[f.good:]
		end := bytes.Index(rest, []byte("\r\n\r\n"))
		if end < 0 {
			if why := judgeBeginning(rest); why != nil {
				f.refuse(why, rest)
			}
			return
		}
		if why := judge(string(rest[:end])); why != nil {
			f.refuse(why, rest)
			return
		}
		f.good += end + len("\r\n\r\n")
	}
}

func (f *filter) refuse(why *refusal, request []byte) {
	f.refused.Store(&refused{why, bytes.HasPrefix(request, []byte("HEAD "))})
	f.cut()
}

// answer returns the response to the refused request; nil if there is none.
func (f *filter) answer() []byte {
	r := f.refused.Load()
	if r == nil {
		return nil
	}
	return r.response(r.head)
}

// judgeBeginning returns why a head is refused of which only the beginning was read; nil if it may
// still be let through.
func judgeBeginning(text []byte) *refusal {
	if len(text) >= maxHead-1<<10 {
		return &refusal{http.StatusRequestHeaderFieldsTooLarge, "the request head is too large"}
	}
	if i := bytes.IndexByte(text, '\n'); i == 0 || i > 0 && text[i-1] != '\r' {
		return unclear("a line does not end in CR LF")
	}
	return nil
}

func unclear(what string) *refusal {
	return &refusal{http.StatusBadRequest, "this proxy is read-only and accepts only unambiguous requests: " + what}
}

func forbidden(what string) *refusal {
	return &refusal{http.StatusForbidden, "this proxy is read-only: " + what}
}

// judge returns why a request with this head is refused; nil if it is let through.
func judge(head string) *refusal {
	lines := strings.Split(head, "\r\n")
	parts := strings.Split(lines[0], " ")
	if len(parts) != 3 || !token(parts[0]) {
		return unclear("the request line is malformed")
	}
	if m := parts[0]; m != http.MethodGet && m != http.MethodHead {
		return forbidden("it allows GET and HEAD, not " + m)
	}
	switch {
	case !strings.HasPrefix(parts[1], "/") || strings.ContainsFunc(parts[1], unprintable):
		return unclear("the request target is not a path")
	case parts[2] != "HTTP/1.1":
		return unclear("the version is not HTTP/1.1")
	}
	hosts := 0
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) || strings.ContainsFunc(value, func(r rune) bool { return r != ' ' && r != '\t' && unprintable(r) }) {
			return unclear("a header line is malformed")
		}
		if strings.EqualFold(name, "Host") {
			hosts++
		}
		if why := header(strings.ToLower(name), strings.ToLower(strings.Trim(value, " \t"))); why != nil {
			return why
		}
	}
	if hosts != 1 {
		return unclear("there must be exactly one Host header")
	}
	return nil
}

// header returns why a header, given in lower case, is refused; nil if it is let through.
func header(name, value string) *refusal {
	switch name {
	case "upgrade":
		return forbidden("it allows no upgrades")
	case "connection":
		for option := range strings.SplitSeq(value, ",") {
			switch strings.Trim(option, " \t") {
			case "keep-alive", "close":
			case "upgrade":
				return forbidden("it allows no upgrades")
			default:
				return unclear("the Connection header has an unknown option")
			}
		}
	case "content-length":
		if value != "0" {
			return unclear("a GET or HEAD request must not have a body")
		}
	case "transfer-encoding", "expect", "trailer":
		return unclear("a GET or HEAD request must not have a body")
	case "x-http-method-override", "x-http-method", "x-method-override", "http2-settings":
		return forbidden("it allows no " + name + " header")
	}
	return nil
}

// token reports whether text is a token of HTTP (RFC 9110, 5.6.2).
func token(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

// unprintable reports whether r is not a visible ASCII character.
func unprintable(r rune) bool { return r <= ' ' || r > '~' }
