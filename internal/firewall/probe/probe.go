// Package probe sends a packet to a published port, and counts where in its packet filters the
// docker host sees that packet and the answer. It adds counting rules for as long as that takes.
package probe

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

//go:embed probe.sh
var script string

const (
	// answerTime is how long the answer may take. A docker host whose ARP requests are not answered
	// reports that after 3.1 s (measured with Linux 6.18).
	answerTime = 4 * time.Second
	// deadline is after how long the docker host removes the rules by itself.
	deadline = 15 * time.Second
)

// Outcome is what the sending client saw.
type Outcome string

// The outcomes. Connected does not mean that the container was reached: docker-proxy accepts
// connections before it connects to the container.
const (
	Connected   Outcome = "connected"
	Answered    Outcome = "answered" // UDP
	Refused     Outcome = "refused"
	Unreachable Outcome = "unreachable"
	TimedOut    Outcome = "timed out"
)

// Count is how many packets were counted in one place.
type Count struct {
	At      string `json:"at"`
	Packets int    `json:"packets"`
}

// Result is the result of a probe.
type Result struct {
	To         string  `json:"to"` // "203.0.113.2:8080/tcp"
	SourcePort int     `json:"source_port"`
	Outcome    Outcome `json:"outcome"`
	Counts     []Count `json:"counters"`
	// Refused are the chains to which no counting rule could be added, such as "raw PREROUTING".
	Refused []string `json:"not_counted,omitempty"`
}

// point is a place where packets are counted.
type point struct {
	rule string // as probe.sh prints it
	at   string // for people
}

var points = []point{
	{"raw PREROUTING --sport", "arrives at the docker host"},
	{"mangle INPUT --sport", "goes to docker's proxy"},
	{"mangle FORWARD --sport", "is to be forwarded"},
	{"mangle POSTROUTING --sport", "leaves for the container"},
	{"raw PREROUTING --dport", "the container's answer arrives"},
	{"mangle POSTROUTING --dport", "the answer leaves for the client"},
}

// Send sends a packet from this computer to a port of the docker host h. The counting rules match
// its source port, which is random, so that packets of other clients are not counted.
func Send(ctx context.Context, h host.Host, to netip.AddrPort, udp bool) (*Result, error) {
	r := &Result{SourcePort: 40000 + rand.IntN(20000)}
	network, tool := "tcp", "iptables"
	if udp {
		network = "udp"
	}
	if to.Addr().Is6() {
		tool = "ip6tables"
	}
	r.To = to.String() + "/" + network
	run := func(ctx context.Context, step string) (dockerhost.Answer, error) {
		out, err := h.Run(ctx, dockerhost.RootScript(script, [2]string{"STEP", step}, [2]string{"TOOL", tool}, [2]string{"PROTOCOL", network},
			[2]string{"PORT", strconv.Itoa(r.SourcePort)}, [2]string{"MARK", fmt.Sprintf("dvh-probe-%d", r.SourcePort)},
			[2]string{"DEADLINE", strconv.Itoa(int(deadline.Seconds()))}))
		if err != nil {
			return dockerhost.Answer{}, err
		}
		return dockerhost.ParseAnswer(out.Stdout, "probe")
	}
	armed, err := run(ctx, "arm")
	if err != nil {
		return nil, fmt.Errorf("adding counting rules on the docker host: %w", err)
	}
	for _, name := range armed.Names() {
		if at, ok := strings.CutPrefix(name, "refused "); ok {
			r.Refused = append(r.Refused, at)
		}
	}
	r.Outcome, err = connect(ctx, r.SourcePort, network, to)
	// The rules are removed even if the user has pressed Ctrl-C.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	counted, readErr := run(ctx, "read")
	if err = errors.Join(err, readErr); err != nil {
		return nil, err
	}
	r.Counts = counts(counted.Lines("counters"))
	return r, nil
}

// connect connects from a source port, and for UDP sends a datagram. An outcome is not an error.
func connect(ctx context.Context, port int, network string, to netip.AddrPort) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := host.DialFrom(ctx, port, network, to.String())
	if err == nil && network == "udp" {
		err = ask(ctx, conn)
	}
	if conn != nil {
		defer conn.Close()
	}
	timeout := net.Error(nil)
	switch {
	case err == nil && network == "udp":
		return Answered, nil
	case err == nil:
		return Connected, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, nil
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut, nil
	}
	return "", err
}

// ask sends a datagram and waits for an answer.
func ask(ctx context.Context, conn net.Conn) error {
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte("docker-vpn-helper\n")); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

// counts reads the counters that probe.sh prints, and returns them in the order of points.
func counts(lines []string) []Count {
	var all []Count
	for _, p := range points {
		for _, line := range lines {
			text, ok := strings.CutPrefix(line, p.rule+" ")
			if n, err := strconv.Atoi(text); ok && err == nil {
				all = append(all, Count{At: p.at, Packets: n})
			}
		}
	}
	return all
}
