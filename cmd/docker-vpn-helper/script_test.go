package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/embedded"
)

// TestScripts runs the whole program in the embedded world. testdata/script/README.md
// explains the commands that the scripts have.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                scriptCommands(),
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// place is what a script has built; it is under worldKey in its values.
type place struct {
	world *embedded.Lab
	held  map[string]net.Listener
	noted map[string]string // see the commands note and same
	locks map[string]func() // see the command lock
}

type placeKey struct{}

func at(ts *testscript.TestScript) *place { return ts.Value(placeKey{}).(*place) }

// world is the script's world, which the command "world" must have made.
func world(ts *testscript.TestScript) *embedded.Lab {
	w := at(ts).world
	if w == nil {
		ts.Fatalf("no world yet: begin the script with 'world darwin' or 'world linux'")
	}
	return w
}

func setup(env *testscript.Env) error {
	p := &place{held: map[string]net.Listener{}, noted: map[string]string{}, locks: map[string]func(){}}
	env.Values[placeKey{}] = p
	env.Defer(func() {
		for _, ln := range p.held {
			ln.Close()
		}
		for _, unlock := range p.locks {
			unlock()
		}
		if p.world != nil {
			if err := p.world.Close(); err != nil {
				env.T().Log("closing the world: ", err)
			}
		}
	})
	// What the user who runs the tests has set must not matter.
	for _, name := range []string{
		"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME", "B2D_MACHINE_NAME", "MACHINE_STORAGE_PATH", "DOCKER_CONTEXT",
		"XDG_STATE_HOME", "NO_COLOR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY", "all_proxy",
	} {
		env.Setenv(name, "")
	}
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("SHELL", "/bin/bash")
	ln, err := embedded.Reserve()
	if err != nil {
		return err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	env.Setenv("PORT", strconv.Itoa(port)) // a free one, for --port
	return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o755)
}

// makeWorld is the command "world OS [key=value…]".
func makeWorld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || at(ts).world != nil {
		ts.Fatalf("usage: world darwin|linux [vbox=VERSION] [ca=ecdsa] [ca-starts=DURATION] [ca-ends=DURATION] [client-ends=DURATION] [born=DURATION] [sudo=root|cached|password], once")
	}
	bin, err := exec.LookPath("VBoxManage")
	ts.Check(err)
	o := embedded.Options{OS: args[0], Home: ts.Getenv("HOME"), Bin: filepath.Dir(bin)}
	opts := options(ts, args[1:])
	o.VirtualBox = opts.take("vbox")
	o.Store.CA = opts.authority()
	if born := opts.take("born"); born != "" {
		o.Store.Born = time.Now().Add(duration(ts, born))
	}
	if ends := opts.take("client-ends"); ends != "" {
		o.Store.ClientNotAfter = time.Now().Add(duration(ts, ends))
	}
	sudo := opts.take("sudo")
	opts.done()
	w, err := embedded.New(o)
	ts.Check(err)
	at(ts).world = w
	for _, kv := range w.Env() {
		name, value, _ := strings.Cut(kv, "=")
		ts.Setenv(name, value)
	}
	if sudo != "" {
		ts.Check(setSudo(w, sudo))
	}
}

// keyValues are the key=value arguments of a command.
type keyValues struct {
	ts *testscript.TestScript
	m  map[string]string
}

func options(ts *testscript.TestScript, args []string) keyValues {
	o := keyValues{ts, map[string]string{}}
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			ts.Fatalf("%q is not key=value", a)
		}
		o.m[key] = value
	}
	return o
}

func (o keyValues) take(key string) string {
	v := o.m[key]
	delete(o.m, key)
	return v
}

func (o keyValues) done() {
	for key := range o.m {
		o.ts.Fatalf("unknown option %q", key)
	}
}

// expect fails unless got is want, or is not if neg.
func expect(ts *testscript.TestScript, neg bool, what string, got, want any) {
	g, w := fmt.Sprint(got), fmt.Sprint(want)
	if (g == w) == neg {
		not := ""
		if neg {
			not = "not "
		}
		ts.Fatalf("%s: got %q, want %s%q", what, g, not, w)
	}
}
