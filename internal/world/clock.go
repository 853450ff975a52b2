package world

import (
	"fmt"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
)

// clockSlack is how far the two clocks may be apart before it is worth saying:
// docker-machine's certificates begin five minutes before they are made
// (docker/machine b170508b, libmachine/cert/cert.go), which is what covers a
// docker host whose clock is behind.
const clockSlack = 5 * time.Minute

// ClockSkew is how far the docker host's clock is ahead of the laptop's.
func (w *World) ClockSkew(facts dockerhost.Facts) time.Duration {
	if facts.Now.IsZero() {
		return 0
	}
	return facts.Now.Sub(w.Now()).Round(time.Second)
}

// ClocksApart says such a difference in words, "" if it is small: "the docker
// host's clock is 2 days behind the laptop's".
func ClocksApart(d time.Duration) string {
	if d.Abs() <= clockSlack {
		return ""
	}
	much := d.Abs().Round(time.Minute).String()
	if days := int(d.Abs().Round(time.Hour).Hours()) / 24; days > 1 {
		much = fmt.Sprintf("%d days", days)
	}
	way := "ahead of"
	if d < 0 {
		way = "behind"
	}
	return fmt.Sprintf("the docker host's clock is %s %s the laptop's", much, way)
}
