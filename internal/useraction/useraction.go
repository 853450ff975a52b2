// Package useraction has the error for what cannot continue until the user has acted: disconnected
// a VPN, stopped VMs, installed something.
package useraction

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"

// Required means that the user must act first; nothing has been changed. Hint is the command for
// that, empty if there is none.
type Required struct {
	Text string
	Hint hint.Hint
}

func (e *Required) Error() string { return e.Text }
