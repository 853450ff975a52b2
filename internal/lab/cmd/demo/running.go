package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// runningVariable names the directory in which every program of the laptop that runs has a
// file: its name is the PID, and the program holds its lock. So none that was left in the
// background of the shell writes anything while the demo's directory is removed.
const runningVariable = "DEMO_RUNNING"

var presence *flock.Flock // until the process ends

// register enters this process as a program of the laptop, if it is one. After the laptop's
// end it does not begin.
func register(running string) {
	if running == "" {
		return
	}
	file := filepath.Join(running, strconv.Itoa(os.Getpid()))
	presence = flock.New(file)
	if _, err := presence.TryLock(); err != nil {
		os.Exit(1)
	}
	if _, err := os.Stat(file); err != nil { // endPrograms has come in between
		os.Exit(1)
	}
}

// endPrograms ends the programs that are registered, and lets no other begin.
func endPrograms(running string) error {
	ended := running + ".ended"
	if err := os.Rename(running, ended); err != nil {
		return err
	}
	entries, err := os.ReadDir(ended)
	for _, e := range entries {
		err = errors.Join(err, end(filepath.Join(ended, e.Name())))
	}
	return err
}

// end ends the process of a file, which runs as long as the file is locked.
func end(file string) error {
	pid, err := strconv.Atoi(filepath.Base(file))
	if err != nil {
		return err
	}
	lock := flock.New(file)
	for range 100 {
		if free, err := lock.TryLock(); free || err != nil {
			return errors.Join(err, lock.Close())
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("process %d does not end", pid)
}
