package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// refusal is why a client or a request is refused.
type refusal struct {
	status int // the HTTP status
	reason string
}

// response returns the HTTP response in dockerd's format of errors. The response to a HEAD request
// has no body.
func (r *refusal) response(head bool) []byte {
	body, _ := json.Marshal(map[string]string{"message": r.reason}) // strings cannot fail
	body = append(body, '\n')
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", r.status, http.StatusText(r.status), len(body))
	if !head {
		b.Write(body)
	}
	return b.Bytes()
}

// drain reads and discards what a client still sends, for at most linger.
func drain(conn net.Conn, linger time.Duration) {
	_ = conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 256<<20))
}

// timedOut reports whether an error is a timeout.
func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
