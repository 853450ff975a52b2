package fakedockerhost

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// session serves a "session" channel: exec or a shell without a terminal.
func (g *Guest) session(nc ssh.NewChannel, user string) {
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	for req := range reqs {
		switch req.Type {
		case "exec", "shell":
			var payload struct{ Command string }
			if req.Type == "exec" {
				if err := ssh.Unmarshal(req.Payload, &payload); err != nil {
					_ = req.Reply(false, nil)
					return
				}
			}
			_ = req.Reply(true, nil)
			g.run(ch, reqs, user, payload.Command)
			return
		case "env", "pty-req":
			_ = req.Reply(true, nil)
		default:
			_ = req.Reply(false, nil)
		}
	}
}

// run runs a command and sends its exit status to the client. As with sshd, the channel stays open
// as long as a process holds the command's output open, and a client that disconnects does not end
// the command.
func (g *Guest) run(ch ssh.Channel, reqs <-chan *ssh.Request, user, command string) {
	root := g.path("root")
	argv := []string{g.path("bin", "sh"), "-c", mapIn(root, command)}
	if command == "" {
		argv = []string{g.path("bin", "sh"), "-s"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = g.environ(user)
	cmd.Dir = g.path("root", "home", user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, stderr := &outward{root: root, to: ch}, &outward{root: root, to: ch.Stderr()}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if _, on := Fault(g.dir, "login-prints"); on {
		_, _ = io.WriteString(stdout, "\x1b]0;docker@default\a")
	}
	if err := cmd.Start(); err != nil {
		go ssh.DiscardRequests(reqs)
		_, _ = io.WriteString(ch.Stderr(), err.Error()+"\n")
		exitStatus(ch, 126)
		return
	}
	g.addJob(cmd.Process)
	defer g.dropJob(cmd.Process)
	go signals(reqs, cmd.Process.Pid)
	var once sync.Once
	closeStdin := func() { once.Do(func() { stdin.Close() }) }
	go func() {
		in := newInward(root, stdin)
		_, _ = io.Copy(in, ch)
		_ = in.Flush()
		closeStdin()
	}()
	err = cmd.Wait()
	closeStdin()
	_ = stdout.Flush()
	_ = stderr.Flush()
	var exit *exec.ExitError
	switch {
	case err == nil:
		exitStatus(ch, 0)
	case errors.As(err, &exit):
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			exitSignal(ch, ws.Signal())
			return
		}
		exitStatus(ch, exit.ExitCode())
	default:
		exitStatus(ch, 255)
	}
}

// signals passes signals on to the command's process group, as OpenSSH 7.9 does.
func signals(reqs <-chan *ssh.Request, pid int) {
	known := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}
	for req := range reqs {
		var m struct{ Name string }
		if req.Type == "signal" && ssh.Unmarshal(req.Payload, &m) == nil && known[m.Name] != 0 {
			_ = syscall.Kill(-pid, known[m.Name])
		}
		if req.WantReply {
			_ = req.Reply(req.Type == "signal", nil)
		}
	}
}

// environ returns the environment of everything that runs in the guest.
func (g *Guest) environ(user string) []string {
	return []string{
		"PATH=" + g.path("bin"), "HOME=" + g.path("root", "home", user), "USER=" + user, "LOGNAME=" + user,
		"SHELL=/bin/sh", "LANG=C", "LC_ALL=C", "TMPDIR=" + g.path("root", "tmp"),
		"SSH_CONNECTION=10.0.2.2 50000 10.0.2.15 22", "DVH_GUEST=" + g.dir, "DVH_GUEST_EXE=" + g.exe,
	}
}

func exitStatus(ch ssh.Channel, code int) {
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(code)}))
}

func exitSignal(ch ssh.Channel, sig syscall.Signal) {
	names := map[syscall.Signal]string{
		syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL", syscall.SIGINT: "INT", syscall.SIGHUP: "HUP", syscall.SIGPIPE: "PIPE",
	}
	_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Signal     string
		CoreDumped bool
		Error      string
		Lang       string
	}{names[sig], false, "", ""}))
}

func (g *Guest) addJob(p *os.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.jobs[p.Pid] = p
}

func (g *Guest) dropJob(p *os.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.jobs, p.Pid)
}

// killJobs ends what sessions and setsid have started: the guest is going down.
func (g *Guest) killJobs() {
	g.mu.Lock()
	pids := make([]int, 0, len(g.jobs))
	for pid := range g.jobs {
		pids = append(pids, pid)
	}
	g.mu.Unlock()
	for _, pid := range append(pids, g.detachedJobs()...) {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}
