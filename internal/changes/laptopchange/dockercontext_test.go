package laptopchange_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// docker is a laptop with nothing but docker's contexts and a few files.
type docker struct {
	host.Laptop
	contexts map[string]string // name -> endpoint
	current  string
	files    map[string]string
}

func (*docker) OS() string                                          { return host.Linux }
func (*docker) LookPath(name string, _ ...string) (string, error)   { return "/usr/bin/" + name, nil }
func (*docker) MkdirAll(context.Context, string, fs.FileMode) error { return nil }
func (d *docker) WriteFile(_ context.Context, path string, data []byte, _ fs.FileMode) error {
	d.files[path] = string(data)
	return nil
}

func (d *docker) ReadFile(_ context.Context, path string) ([]byte, error) {
	if text, ok := d.files[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (d *docker) Remove(_ context.Context, path string) error {
	if _, ok := d.files[path]; !ok {
		return fs.ErrNotExist
	}
	delete(d.files, path)
	return nil
}

func (d *docker) Run(_ context.Context, c host.Cmd) (host.Output, error) {
	verb, name := c.Argv[2], c.Argv[3]
	if verb == "rm" {
		name = c.Argv[4] // after -f
	}
	old, exists := d.contexts[name]
	fail := func(text string) (host.Output, error) {
		return host.Output{}, &host.CmdError{Argv: c.Argv, Exit: 1, Stderr: text}
	}
	switch {
	case verb == "ls":
		var b strings.Builder
		for name, endpoint := range d.contexts {
			fmt.Fprintf(&b, "{\"Name\":%q,\"DockerEndpoint\":%q,\"Current\":%v}\n", name, endpoint, name == d.current)
		}
		return host.Output{Stdout: []byte(b.String())}, nil
	case (verb == "create" || verb == "import") == exists:
		return fail("context " + name + ": exists or does not")
	case verb == "create" || verb == "update":
		d.contexts[name], _, _ = strings.Cut(strings.TrimPrefix(c.Argv[len(c.Argv)-1], "host="), ",")
	case verb == "export":
		return host.Output{Stdout: []byte(old)}, nil
	case verb == "import":
		d.contexts[name] = string(c.Stdin)
	case verb == "use":
		d.current = name
	case verb == "rm":
		delete(d.contexts, name)
		if d.current == name {
			d.current = "default"
		}
	}
	return host.Output{}, nil
}

func (d *docker) copy() docker {
	return docker{contexts: maps.Clone(d.contexts), current: d.current, files: maps.Clone(d.files)}
}

const ours = "tcp://localhost:2376"

func contextWorlds() map[string]*docker {
	return map[string]*docker{
		"none":                {contexts: map[string]string{"default": "unix:///d"}, current: "default"},
		"none_other_current":  {contexts: map[string]string{"default": "unix:///d", "o": "tcp://o:1"}, current: "o"},
		"elsewhere":           {contexts: map[string]string{"default": "unix:///d", "dev": "tcp://o:1"}, current: "default"},
		"elsewhere_current":   {contexts: map[string]string{"default": "unix:///d", "dev": "tcp://o:1"}, current: "dev"},
		"older_files_current": {contexts: map[string]string{"default": "unix:///d", "dev": ours}, current: "dev"},
	}
}

// However far it came, and however often it is undone, docker is as before.
func TestContextsAreTakenBack(t *testing.T) {
	for name := range contextWorlds() {
		for steps := range 5 {
			t.Run(fmt.Sprintf("%s/%d", name, steps), func(t *testing.T) {
				d := contextWorlds()[name]
				d.files = map[string]string{}
				before := d.copy()
				tgt := &target.Target{Laptop: d, DockerCLI: dockercli.New(d)}
				all := []engine.Change{&laptopchange.SetContext{Machine: "dev", Name: "dev", Endpoint: ours, Dir: "/m"}, &laptopchange.UseContext{Name: "dev"}}
				for i := range steps {
					step := all[i/2].Backup
					if i%2 == 1 {
						step = all[i/2].Apply
					}
					if err := step(t.Context(), tgt); err != nil {
						t.Fatal(err)
					}
				}
				if steps == 4 && (d.contexts["dev"] != ours || d.current != "dev") {
					t.Fatalf("%+v", d)
				}
				begun := all[:(steps+1)/2]
				for range 2 {
					for i := len(begun) - 1; i >= 0; i-- {
						revert(t, tgt, begun[i])
					}
				}
				after := d.copy()
				if diff := cmp.Diff(before, after, cmp.AllowUnexported(docker{})); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// revert takes a change back as a journal would hand it over.
func revert(t *testing.T, tgt *target.Target, c engine.Change) {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := changes.Decode(c.About().Kind, raw)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := again.Revert(t.Context(), tgt); err != nil || left != nil {
		t.Fatal(left, err)
	}
}

// Killed while it takes a context back, however far it came, the old one is not lost.
func TestOldContextComesBackFromItsCopy(t *testing.T) {
	for killed, leave := range map[string]func(before, now *docker){
		"before_the_import": func(_, now *docker) { delete(now.contexts, "dev") },
		"after_the_import":  func(before, now *docker) { now.contexts["dev"] = before.contexts["dev"] },
	} {
		t.Run(killed, func(t *testing.T) {
			d := contextWorlds()["elsewhere_current"]
			d.files = map[string]string{}
			before := d.copy()
			tgt := &target.Target{Laptop: d, DockerCLI: dockercli.New(d)}
			c := &laptopchange.SetContext{Machine: "dev", Name: "dev", Endpoint: ours, Dir: "/m"}
			for _, step := range []func(context.Context, *target.Target) error{c.Backup, c.Apply} {
				if err := step(t.Context(), tgt); err != nil {
					t.Fatal(err)
				}
			}
			leave(&before, d)
			d.current = "default"
			revert(t, tgt, c)
			if diff := cmp.Diff(before, d.copy(), cmp.AllowUnexported(docker{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignContextStays(t *testing.T) {
	d := contextWorlds()["none"]
	d.files = map[string]string{}
	tgt := &target.Target{Laptop: d, DockerCLI: dockercli.New(d)}
	c := &laptopchange.SetContext{Machine: "dev", Name: "dev", Endpoint: ours, Dir: "/m"}
	for _, step := range []func(context.Context, *target.Target) error{c.Backup, c.Apply} {
		if err := step(t.Context(), tgt); err != nil {
			t.Fatal(err)
		}
	}
	d.contexts["dev"] = "tcp://somebody:1"
	left, err := c.Revert(t.Context(), tgt)
	if err != nil || d.contexts["dev"] != "tcp://somebody:1" {
		t.Fatal(err, d)
	}
	if diff := cmp.Diff([]string{"docker context dev leads to tcp://somebody:1 since and stays"}, left); diff != "" {
		t.Error(diff)
	}
}
