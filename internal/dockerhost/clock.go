package dockerhost

import (
	"fmt"
	"time"
)

// clockSlack is how far the two clocks may differ before that is mentioned. docker-machine's
// certificates are valid from five minutes before they are made (docker/machine b170508b,
// libmachine/cert/cert.go), so they work on a docker host whose clock is slow by up to that.
const clockSlack = 5 * time.Minute

// ClockSkew returns how far the docker host's clock is ahead of now, the laptop's time. It is 0 if
// the docker host's time is not known.
func (f Facts) ClockSkew(now time.Time) time.Duration {
	if f.Now.IsZero() {
		return 0
	}
	return f.Now.Sub(now).Round(time.Second)
}

// DescribeClockSkew returns a skew in words, "the docker host's clock is 2 days behind the
// laptop's"; "" if it is small.
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
