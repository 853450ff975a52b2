package dockerhost

import (
	"fmt"
	"time"
)

// clockSlack is how far the two clocks may be apart before it is worth a word:
// docker-machine's certificates begin five minutes before they are made
// (docker/machine b170508b, libmachine/cert/cert.go), which is what covers a
// docker host whose clock is behind.
const clockSlack = 5 * time.Minute

// ClockSkew is how far the docker host's clock is ahead of now, the time on the laptop.
func (f Facts) ClockSkew(now time.Time) time.Duration {
	if f.Now.IsZero() {
		return 0
	}
	return f.Now.Sub(now).Round(time.Second)
}

// DescribeClockSkew puts a skew in words, "" if it is small: "the docker host's clock
// is 2 days behind the laptop's".
func DescribeClockSkew(d time.Duration) string {
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
