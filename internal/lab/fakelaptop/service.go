package fakelaptop

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// job is a loaded login service.
type job struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	PID  int      `json:"pid"` // of its service-manager
}

func (c *call) jobFile(name string) string {
	return filepath.Join(filepath.Dir(c.file), "services", name+".json")
}

// systemctl implements systemctl --user daemon-reload, enable --now UNIT and disable --now UNIT.
func systemctl(c *call) int {
	args := c.args
	if len(args) < 2 || args[0] != "--user" {
		return c.fail(1, "systemctl: only --user is here")
	}
	unit := args[len(args)-1]
	path := filepath.Join(os.Getenv("HOME"), ".config", "systemd", "user", unit)
	switch args[1] {
	case "daemon-reload":
		return 0
	case "enable":
		data, err := os.ReadFile(path)
		if err != nil {
			return c.fail(1, "Failed to enable unit: Unit file %s does not exist.", unit)
		}
		return c.load(unit, parseUnit(string(data)))
	case "disable":
		return c.unload(unit)
	}
	return c.fail(1, "Unknown command verb %s.", args[1])
}

// parseUnit parses the units that internal/service writes, with words in double quotes.
func parseUnit(text string) (j job) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ExecStart":
			for _, word := range quoted(value) {
				j.Argv = append(j.Argv, strings.ReplaceAll(word, "$$", "$"))
			}
		case "Environment":
			j.Env = append(j.Env, quoted(value)...)
		}
	}
	return j
}

func quoted(text string) (words []string) {
	var word strings.Builder
	inside, escaped := false, false
	for _, r := range strings.ReplaceAll(text, "%%", "%") {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"' && inside:
			words = append(words, word.String())
			word.Reset()
			inside = false
		case r == '"':
			inside = true
		case inside:
			word.WriteRune(r)
		}
	}
	return words
}

// launchctl implements launchctl bootstrap DOMAIN FILE and bootout DOMAIN/LABEL.
func launchctl(c *call) int {
	if len(c.args) < 2 {
		return c.fail(64, "Usage: launchctl <subcommand>")
	}
	switch last := c.args[len(c.args)-1]; c.args[0] {
	case "bootstrap":
		data, err := os.ReadFile(last)
		if err != nil {
			return c.fail(5, "Bootstrap failed: 5: Input/output error")
		}
		return c.load(strings.TrimSuffix(filepath.Base(last), ".plist"), parseAgent(string(data)))
	case "bootout":
		return c.unload(filepath.Base(last))
	}
	return c.fail(64, "Unrecognized subcommand: %s", c.args[0])
}

// parseAgent parses a plist: keys, and the strings after each.
func parseAgent(text string) (j job) {
	var keys []string
	inside := ""
	for r := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := r.Token()
		if err != nil {
			return j
		}
		switch e := token.(type) {
		case xml.StartElement:
			inside = e.Name.Local
		case xml.EndElement:
			inside = ""
		case xml.CharData:
			switch {
			case inside == "key":
				keys = append(keys, string(e))
			case inside == "string" && len(keys) > 0 && keys[len(keys)-1] == "ProgramArguments":
				j.Argv = append(j.Argv, string(e))
			case inside == "string" && len(keys) > 1 && strings.ToUpper(keys[len(keys)-1]) == keys[len(keys)-1]:
				j.Env = append(j.Env, keys[len(keys)-1]+"="+string(e))
			}
		}
	}
}

// load starts a service under a process that restarts it when it crashes.
func (c *call) load(name string, j job) int {
	file := c.jobFile(name)
	if _, err := os.Stat(file); err == nil {
		return 0 // it runs
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return c.fail(1, "%v", err)
	}
	self, err := os.Executable()
	if err != nil {
		return c.fail(1, "%v", err)
	}
	data, _ := json.Marshal(j)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return c.fail(1, "%v", err)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(self), "service-manager"), file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return c.fail(1, "%v", err)
	}
	j.PID = cmd.Process.Pid
	data, _ = json.Marshal(j)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return c.fail(1, "%v", err)
	}
	return 0
}

func (c *call) unload(name string) int {
	file := c.jobFile(name)
	data, err := os.ReadFile(file)
	var j job
	if err != nil || json.Unmarshal(data, &j) != nil || j.PID == 0 {
		return c.fail(3, "%s: no such service", name)
	}
	_ = syscall.Kill(j.PID, syscall.SIGTERM)
	for range 1000 {
		if syscall.Kill(j.PID, 0) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := os.Remove(file); err != nil {
		return c.fail(1, "%v", err)
	}
	return 0
}

// serviceManager runs a service until it is stopped, or until the test ends.
func serviceManager(c *call) int {
	data, err := os.ReadFile(c.args[0])
	var j job
	if err != nil || json.Unmarshal(data, &j) != nil {
		return c.fail(1, "service-manager: %v", err)
	}
	owner, _ := strconv.Atoi(os.Getenv("FAKEVBOX_WATCH"))
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	for {
		cmd := exec.Command(j.Argv[0], j.Argv[1:]...)
		cmd.Env = append(os.Environ(), j.Env...)
		ended := make(chan error, 1)
		if err := cmd.Start(); err != nil {
			return c.fail(1, "service-manager: %v", err)
		}
		go func() { ended <- cmd.Wait() }()
		for running := true; running; {
			select {
			case err := <-ended:
				if err == nil {
					return 0
				}
				running = false
			case <-term:
				_ = cmd.Process.Signal(syscall.SIGTERM)
				<-ended
				return 0
			case <-time.After(20 * time.Millisecond):
				if owner > 0 && syscall.Kill(owner, 0) != nil {
					_ = cmd.Process.Kill()
					<-ended
					return 0
				}
			}
		}
	}
}

// StopServices stops what systemctl and launchctl have started, and waits for its end.
func StopServices(file string) error {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "services", "*.json"))
	if err != nil {
		return err
	}
	c := &call{file: file, stderr: io.Discard}
	for _, f := range files {
		if code := c.unload(strings.TrimSuffix(filepath.Base(f), ".json")); code != 0 {
			return fmt.Errorf("stopping %s: exit status %d", f, code)
		}
	}
	return nil
}
