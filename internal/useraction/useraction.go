// Package useraction is the error of what cannot go on before the user has acted:
// disconnected the VPN, stopped VMs, installed something.
package useraction

// Required is what the user must do first. Nothing has been touched. Hint is the
// command line for it, "" where there is none.
type Required struct{ Text, Hint string }

func (e *Required) Error() string { return e.Text }
