// Package e2e holds the tests that need the privileged lab: the real program
// against a real sshd, a real dockerd and a VPN that has really taken the route.
// They are built with the tag e2e and run as root, by make e2e:
//
//	go test -tags e2e -count 1 ./internal/lab/e2e
//
// DVH_BIN names the program to test; without it, it is built first. DVH_SOAK=all,
// which make soak sets, makes ten times as many runs of what is disturbed at random
// instants; DVH_SEED repeats the instants that an earlier test has printed.
package e2e
