package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// exitCode is "exit N COMMAND…": the command ends with that status.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit N COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	expect(ts, false, "exit status of "+strings.Join(args[1:], " "), got, args[0])
}

// within is "within DURATION N COMMAND…": like exit, and it takes no longer.
func within(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: within DURATION N COMMAND…")
	}
	limit, start := duration(ts, args[0]), time.Now()
	exitCode(ts, false, args[1:])
	if took := time.Since(start); took > limit {
		ts.Fatalf("%s took %v, want at most %v", strings.Join(args[2:], " "), took, limit)
	}
}

// awaitText is "await FILE TEXT": waits until the file of a program that runs in the
// background has the text.
func awaitText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	ts.Check(embedded.Await(args[1], func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(data), args[1])
	}))
}

// jsonPath is "json FILE PATH VALUE": the value there. A path is keys with dots
// between; [X] picks the element of an array that has X as its layer, code or
// name, or the element number X; # is an array's length. VALUE is as JSON has it,
// but without a string's quotes. "! json FILE PATH VALUE" is any other.
func jsonPath(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH VALUE")
	}
	var v any
	text := ts.ReadFile(args[0])
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		ts.Fatalf("%s is not one JSON value: %v\n%s", args[0], err, text)
	}
	inside := false
	for _, step := range strings.FieldsFunc(strings.ReplaceAll(args[1], "[", ".["), func(r rune) bool {
		inside = r == '[' || inside && r != ']' // where a dot is part of a code
		return r == '.' && !inside
	}) {
		v = descend(v, step)
	}
	got, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		ts.Check(err)
		got = string(data)
	}
	expect(ts, neg, args[0]+" "+args[1], got, args[2])
}

func descend(v any, step string) any {
	switch x := v.(type) {
	case map[string]any:
		return x[step]
	case []any:
		if step == "#" {
			return len(x)
		}
		want := strings.Trim(step, "[]")
		if i, err := strconv.Atoi(want); err == nil && i < len(x) {
			return x[i]
		}
		for _, e := range x {
			if m, ok := e.(map[string]any); ok && (m["layer"] == want || m["code"] == want || m["name"] == want) {
				return m
			}
		}
	}
	return nil
}

// logins is "logins NAME N": how many SSH logins there have been.
func logins(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, neg, "SSH logins on "+args[0], fakedockerhost.Count(world(ts).GuestDir(args[0]), "logins"), args[1])
}

// starts is "starts NAME N": how often dockerd has come up.
func starts(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, neg, "starts of dockerd on "+args[0], fakedockerhost.Count(world(ts).GuestDir(args[0]), "daemon-starts"), args[1])
}

// rules is "rules NAME RULE…": the names of the NAT rules, sorted.
func rules(ts *testscript.TestScript, neg bool, args []string) {
	w, err := fakevbox.Load(world(ts).VBoxHome())
	ts.Check(err)
	var got []string
	for _, nic := range w.Find(args[0]).NICs {
		for _, f := range nic.Forwards {
			got = append(got, f.Name)
		}
	}
	slices.Sort(got)
	expect(ts, neg, "NAT rules of "+args[0], got, args[1:])
}

// containers is "containers NAME web=running job=exited …", sorted by name.
func containers(ts *testscript.TestScript, neg bool, args []string) {
	var got []string
	for _, c := range fakedockerhost.Containers(world(ts).GuestDir(args[0])) {
		state := "exited"
		if c.Running {
			state = "running"
		}
		got = append(got, c.Name+"="+state)
	}
	slices.Sort(got)
	expect(ts, neg, "containers on "+args[0], got, args[1:])
}

// fetch is "fetch HOST:PORT TEXT": HTTP there answers TEXT. "! fetch HOST:PORT" gets no answer.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg && len(args) != 1 || !neg && len(args) != 2 {
		ts.Fatalf("usage: fetch HOST:PORT TEXT, or ! fetch HOST:PORT")
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + args[0] + "/")
	if neg {
		if err == nil {
			ts.Fatalf("%s answers %s", args[0], r.Status)
		}
		return
	}
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r, err = client.Get("http://" + args[0] + "/") // its program may just be starting
	}
	ts.Check(err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	ts.Check(err)
	expect(ts, false, args[0], strings.TrimSpace(string(body)), args[1])
}

// called is "called TEXT": an outside command was called with TEXT in its line,
// program name included, since the script began or forget-calls.
func called(ts *testscript.TestScript, neg bool, args []string) {
	want := strings.Join(args, " ")
	lines := calls(ts)
	if strings.Contains(lines, want) == neg {
		ts.Fatalf("called %q: want %t, calls:\n%s", want, !neg, lines)
	}
}

func calls(ts *testscript.TestScript) string {
	var all strings.Builder
	w := world(ts)
	for file, program := range map[string]string{filepath.Join(w.VBoxHome(), "calls.log"): "VBoxManage ", filepath.Join(w.Dir, "outside.log"): ""} {
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
		for line := range strings.Lines(string(data)) {
			all.WriteString(program + line)
		}
	}
	return all.String()
}

func forgetCalls(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range []string{filepath.Join(world(ts).VBoxHome(), "calls.log"), filepath.Join(world(ts).Dir, "outside.log")} {
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
	}
}

// note is "note THING NAME": remembers it. Things: store (all files of the
// machine in the store but config.json and the endpoint record), config, remote (the certificate files on
// the docker host), dockerd (the process), rules, containers (IDs and when they were started).
func note(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: note store|config|remote|dockerd|rules|containers NAME")
	}
	at(ts).noted[args[0]+" "+args[1]] = thing(ts, args[0], args[1])
}

// same is "same THING NAME": it is as it was at note; "! same": it is not.
func same(ts *testscript.TestScript, neg bool, args []string) {
	was, ok := at(ts).noted[args[0]+" "+args[1]]
	if !ok {
		ts.Fatalf("nothing noted about %s of %s", args[0], args[1])
	}
	expect(ts, neg, args[0]+" of "+args[1], thing(ts, args[0], args[1]), was)
}

func thing(ts *testscript.TestScript, what, name string) string {
	w := world(ts)
	m, err := w.Machine(name)
	ts.Check(err)
	dir := w.GuestDir(name)
	switch what {
	case "store":
		return hashes(ts, m.Dir, func(name string) bool { return name != "config.json" && name != "docker-vpn-helper.json" })
	case "config":
		return hashes(ts, m.Dir, func(name string) bool { return name == "config.json" })
	case "remote":
		return hashes(ts, filepath.Join(dir, "root/var/lib/boot2docker"), nil) + hashes(ts, filepath.Join(dir, "root/etc/docker"), nil)
	case "dockerd":
		return fmt.Sprint(fakedockerhost.DaemonPID(dir), fakedockerhost.Count(dir, "daemon-starts"))
	case "rules":
		v, err := fakevbox.Load(w.VBoxHome())
		ts.Check(err)
		return fmt.Sprintf("%+v", v.Find(name).NICs)
	case "containers":
		return fmt.Sprintf("%+v", fakedockerhost.Containers(dir))
	}
	ts.Fatalf("unknown thing %q", what)
	return ""
}

// hashes is one line for each file in a directory that is of interest, nil being all:
// name, mode and hash.
func hashes(ts *testscript.TestScript, dir string, interesting func(name string) bool) string {
	entries, err := os.ReadDir(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || interesting != nil && !interesting(e.Name()) {
			continue
		}
		info, err := e.Info()
		ts.Check(err)
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		ts.Check(err)
		sum := sha256.Sum256(data)
		fmt.Fprintf(&b, "%s %v %s\n", e.Name(), info.Mode(), hex.EncodeToString(sum[:8]))
	}
	return b.String()
}
