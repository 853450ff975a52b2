// Package useraction is the error of what cannot go on before the user has acted:
// disconnected the VPN, stopped VMs, installed something.
package useraction

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"

// Required is what the user must do first. Nothing has been touched. Hint is the
// command line for it, empty where there is none.
type Required struct {
	Text string
	Hint hint.Hint
}

func (e *Required) Error() string { return e.Text }
