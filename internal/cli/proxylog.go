package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/proxy"
)

// proxyEvent is one line of proxy --json.
type proxyEvent struct {
	Schema int       `json:"schema"`
	Event  string    `json:"event"` // listening, connection, reloaded, stopped, lost
	Time   time.Time `json:"time"`
	// listening
	Address string `json:"address,omitempty"`
	Host    string `json:"host,omitempty"`
	// connection; the bytes are those inside TLS
	Client     string  `json:"client,omitempty"`
	CommonName string  `json:"cn,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	In         int64   `json:"bytes_in,omitempty"`
	Out        int64   `json:"bytes_out,omitempty"`
	Status     int     `json:"status,omitempty"` // HTTP status of a refusal
	// why a client was refused, a connection failed or nothing was reloaded
	Reason string `json:"reason,omitempty"`
	// stopped: connections that were cut off; lost: lines that were not printed
	Count int64 `json:"count,omitempty"`
}

// proxyLog prints one line per connection. Connections do not wait for a slow reader of stdout: lines
// are dropped and counted instead.
type proxyLog struct {
	app   *app
	lines chan proxyEvent
	lost  atomic.Int64 // lines that were dropped since the last line was printed
	done  chan struct{}
}

func (a *app) newProxyLog() *proxyLog {
	l := &proxyLog{app: a, lines: make(chan proxyEvent, 1024), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for e := range l.lines {
			if n := l.lost.Swap(0); n > 0 {
				l.print(proxyEvent{Event: "lost", Time: a.Now(), Count: n})
			}
			l.print(e)
		}
	}()
	return l
}

func (l *proxyLog) add(e proxyEvent) {
	select {
	case l.lines <- e:
	default:
		l.lost.Add(1)
	}
}

// close prints the lines that are left, for at most a second.
func (l *proxyLog) close() {
	close(l.lines)
	select {
	case <-l.done:
	case <-time.After(time.Second):
	}
}

func (l *proxyLog) print(e proxyEvent) {
	e.Schema, e.Time = engine.Schema, e.Time.UTC()
	if l.app.ui.JSON {
		_ = l.app.ui.PrintJSON(e) // it has no value that JSON cannot hold
		return
	}
	switch e.Event {
	case "listening":
		l.app.ui.Say("listening on %s for %s", e.Address, e.Host)
	case "reloaded":
		if e.Reason != "" {
			l.app.ui.Say("not reloaded, the old certificates stay in use: %s", e.Reason)
		} else {
			l.app.ui.Say("reloaded the certificates")
		}
	case "stopped":
		if e.Count > 0 {
			l.app.ui.Say("stopped; %d connections were cut off", e.Count)
		} else {
			l.app.ui.Say("stopped")
		}
	case "lost":
		l.app.ui.Say("%d lines were lost, because this output was not read in time", e.Count)
	case "connection":
		l.app.ui.Print(e.line())
	}
}

// line returns the log line of a connection.
func (e proxyEvent) line() string {
	text := fmt.Sprintf("%s %s %s %.3fs in=%d out=%d", e.Time.Format(time.RFC3339), e.Client, plainName(e.CommonName), e.Seconds, e.In, e.Out)
	if e.Status != 0 {
		text += " " + strconv.Itoa(e.Status)
	}
	if e.Reason != "" {
		text += " " + e.Reason
	}
	return text + "\n"
}

// plainName returns a common name, which may contain anything, as one printable word.
func plainName(cn string) string {
	if strings.ContainsFunc(cn, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return strconv.QuoteToASCII(cn)
	}
	return cmp.Or(cn, "-")
}

func (l *proxyLog) connection(e proxy.Event) {
	l.add(proxyEvent{Event: "connection", Time: e.Began, Client: e.Client, CommonName: e.CommonName, Seconds: e.Took.Seconds(),
		In: e.In, Out: e.Out, Status: e.Status, Reason: e.Reason})
}

func (l *proxyLog) listening(addr, name string) {
	l.add(proxyEvent{Event: "listening", Time: l.app.Now(), Address: addr, Host: name})
}

func (l *proxyLog) reloaded(err error) {
	e := proxyEvent{Event: "reloaded", Time: l.app.Now()}
	if err != nil {
		e.Reason = err.Error()
	}
	l.add(e)
}

func (l *proxyLog) stopped(cutOff int) {
	l.add(proxyEvent{Event: "stopped", Time: l.app.Now(), Count: int64(cutOff)})
	l.close()
}
