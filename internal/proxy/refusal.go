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

// refusal is an HTTP status and the reason.
type refusal struct {
	status int
	reason string
}

// response is the refusal as dockerd writes errors; a HEAD request gets no body.
func (r *refusal) response(head bool) []byte {
	body, _ := json.Marshal(map[string]string{"message": r.reason}) // a string is always JSON
	body = append(body, '\n')
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", r.status, http.StatusText(r.status), len(body))
	if !head {
		b.Write(body)
	}
	return b.Bytes()
}

// drain reads what a client is still sending, for some time.
func drain(conn net.Conn, linger time.Duration) {
	_ = conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 256<<20))
}

// timedOut reports whether an error is the end of a deadline.
func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
