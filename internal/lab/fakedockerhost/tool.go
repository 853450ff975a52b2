package fakedockerhost

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Main runs this process as one of the guest's programs, if that is what the
// environment variable DVH_AS asks for. A binary that hosts guests calls it
// first thing in its main function and ends with the code if ok.
func Main() (code int, ok bool) {
	as := os.Getenv("DVH_AS")
	dir := os.Getenv("DVH_GUEST")
	os.Unsetenv("DVH_AS") // not for what this process starts
	switch as {
	case "dockerd":
		return dockerd(dir, os.Args[1:]), true
	case "guest-docker":
		return dockerCLI(dir, os.Args[1:], os.Stdout, os.Stderr), true
	case "guest-ctl":
		return ctl(dir, os.Args[1:]), true
	case "guest-setsid":
		return setsid(dir, os.Args[1:]), true
	case "guest-job":
		return job(dir, os.Args[1:]), true
	}
	return 0, false
}

// ctl asks the process that runs the guest for something: ctl OP ARG…
func ctl(dir string, args []string) int {
	r, err := control(dir, request{Op: args[0], Args: args[1:]})
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case r.Error != "":
		fmt.Fprintln(os.Stderr, r.Error)
		return 1
	case !r.OK:
		return 3
	}
	fmt.Println(r.PID)
	return 0
}

// setsid runs a command in a session of its own, and lets the guest know, which
// ends it when the guest goes down.
func setsid(dir string, args []string) int {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) == 0 {
		return 2
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "setsid: %v\n", err)
		return 127
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "DVH_AS=guest-job")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "setsid: %v\n", err)
		return 127
	}
	err = cmd.Wait()
	os.Remove(jobFile(dir, cmd.Process.Pid))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	return 0
}

// job becomes a command once the guest knows of it. A guest that goes down closes its
// control socket first and then ends the jobs that it knows, so that none gets away.
func job(dir string, args []string) int {
	_ = os.WriteFile(jobFile(dir, os.Getpid()), nil, 0o600)
	if _, err := os.Stat(controlSocket(dir)); err != nil {
		return 1
	}
	path, err := exec.LookPath(args[0])
	if err == nil {
		err = syscall.Exec(path, args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "setsid: %v\n", err)
	return 127
}

func jobFile(dir string, pid int) string { return filepath.Join(dir, "jobs", strconv.Itoa(pid)) }
