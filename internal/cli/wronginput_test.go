package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cmdline"
)

// bareLaptop has only files and one program: docker-machine, unless a test selects another.
type bareLaptop struct {
	host.Laptop
	program    string
	unreadable string // a directory that this user may not look into
}

func (l bareLaptop) ReadDir(ctx context.Context, path string) ([]fs.DirEntry, error) {
	if l.unreadable != "" && strings.HasPrefix(path+"/", l.unreadable+"/") {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	return l.Laptop.ReadDir(ctx, path)
}

func (bareLaptop) OS() string { return "linux" }

func (l bareLaptop) LookPath(name string, _ ...string) (string, error) {
	if name == l.program {
		return "/usr/local/bin/" + name, nil
	}
	return "", fs.ErrNotExist
}

func (bareLaptop) Run(context.Context, host.Cmd) (host.Output, error) {
	return host.Output{}, errors.New("not installed")
}

// onlyProgram is the variable with which a test gives the laptop another program, unreadable
// the one with a directory that cannot be read.
const (
	// onlyProgram is the variable with which a test selects the laptop's program, unreadable the
	// variable that names a directory that cannot be read.
	onlyProgram = "ONLY_PROGRAM"
	unreadable  = "UNREADABLE"
)

// run is one invocation on a laptop with the machines default, two and Web01.
func run(t *testing.T, home, line string, env ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	vars := map[string]string{"HOME": home, "SHELL": "/bin/bash", onlyProgram: "docker-machine"}
	for i := 0; i < len(env); i += 2 {
		vars[env[i]] = env[i+1]
	}
	defer func() { hintsExist(t, line, errs.String()) }()
	code = Main(words(t, line), IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: func(k string) string { return vars[k] },
		Signals: func() <-chan os.Signal { return nil }, Laptop: func(s host.Sudo) host.Laptop {
			return bareLaptop{host.NewLocal(s), vars[onlyProgram], vars[unreadable]}
		}, Now: time.Now, Version: "test"})
	return code, out.String(), errs.String()
}

// words splits a command line at spaces as a shell does; words in single quotes may have spaces.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for _, w := range regexp.MustCompile(`(?:[^\s']|'[^']*')+`).FindAllString(line, -1) {
		out = append(out, strings.ReplaceAll(w, "'", ""))
	}
	return out
}

// homeWith returns a home directory with machines whose dockerd does not answer.
func homeWith(t *testing.T, machines ...string) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range machines {
		dir := filepath.Join(home, ".docker", "machine", "machines", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		config := `{"ConfigVersion":3,"DriverName":"generic","Driver":{"IPAddress":"127.0.0.1","SSHPort":1,"MachineName":"` + name + `"},"Name":"` + name + `"}`
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// wrongInputs are wrong command lines, and the hint that a user needs. STORE stands for the machine
// store.
var wrongInputs = []struct{ line, hint string }{
	// commands
	{"Doctor default", "doctor default"},
	{"doktor default", "doctor default"},
	{"docter", "doctor"},
	{"FIX default", "fix default"},
	{"fxi default", "fix default"},
	{"undoo two", "undo two"},
	{"evn default", "env default"},
	{"contxt", "context"},
	{"lss", "ls"},
	{"lst", "ls"},
	{"cret show", "cert show"},
	{"certs show", "cert show"},
	{"explian route.hijacked", "explain route.hijacked"},
	{"shellinit", "shell-init"},
	{"completions zsh", "completion zsh"},
	{"module restart", "modules restart"},
	{"ver", "version"},
	{"hlep", "help"},
	{"''", "--help"},
	{"frobnicate", "--help"},
	{"-s STORE doktor default", "-s STORE doctor default"},
	{"repair default", "fix default"},
	{"check default", "doctor default"},
	{"diagnose", "doctor"},
	{"rollback two", "undo two"},
	{"init", "shell-init"},
	{"alow web2", "allow web2"},
	{"allow", "allow --help"},
	{"allow web2 -p 0", "allow --help"},
	{"allow web2 -p 65536", "allow --help"},
	{"allow web2 -p 8000-8010", "allow --help"},
	{"allow web2 -p 443/icmp", "allow --help"},
	{"allow 'web2;rm'", "allow --help"},
	{"allow web2 --from outside", "allow --help"},
	{"allow web2 --confirm-within 0s", "allow web2 --confirm-within 1m0s"},
	{"allow web2 --confirm-within 0", "allow --help"},
	{"allow web2 --confirm-within soon", "allow web2 --confirm-within 1m0s"},
	{"allow web2 -H tcp://192.0.2.1:2376", "allow --help"},
	{"allow --list --confirm", "allow --list"},
	{"deny", "deny --help"},
	{"deny web2 web3", "deny web2"},
	// a docker host in another program's form, or without a command
	{"doctor localhost", "doctor local"},
	{"fix localhost", "doctor local"},
	{"doctor me@build", "doctor 'ssh://me@build'"},
	{"ports -H build:22", "ports -H ssh://build:22"},
	{"env me@build", "doctor 'ssh://me@build'"},
	{"doctor 127.0.0.1:2376", "doctor tcp://127.0.0.1:2376"},
	{"doctor https://127.0.0.1:2376/", "doctor tcp://127.0.0.1:2376"},
	{"doctor unix:///var/run/docker.sock", "doctor local"},
	{"doctor unix:///tmp/nosuch.sock", "export 'DOCKER_HOST=unix:///tmp/nosuch.sock' && docker-vpn-helper doctor local"},
	{"doctor ssh://", "doctor --help"},
	{"doctor context:", "doctor --help"},
	{"doctor tcp://build:99999", "doctor --help"},
	{"ports -H tcp://", "ports --help"},
	{"doctor shh://me@build", "doctor 'ssh://me@build'"},
	{"doctor ssh:/me@build", "doctor 'ssh://me@build'"},
	{"fix sshh://me@build", "doctor 'ssh://me@build'"},
	{"ports -H tpc://127.0.0.1:1", "ports -H tcp://127.0.0.1:1"},
	{"env machin:two", "doctor machine:two"},
	{"default", "doctor default"},
	{"default doctor", "doctor default"},
	{"local doctor --json=false", "doctor '--json=false' local"},
	{"ssh://me@build fix", "doctor 'ssh://me@build'"},
	{"two cert show", "cert show two"},
	{"local guard status", "guard status -H local"},
	{"default ls", "doctor default"},
	{"default frobnicate", "doctor default"},
	{"local", "doctor local"},
	{"ssh://me@build --json=false", "doctor 'ssh://me@build' '--json=false'"},
	{"ports sattus default", "ports status default"},
	{"ports sattus -H default", "ports status -H default"},
	{"ports folow", "ports follow"},
	{"ports statu --json=false", "ports status '--json=false'"},
	{"ports stat_us", "ports status"},
	{"ports tow", "ports two"},
	{"ports follow local", "ports local"},
	{"ports on local", "ports local"},
	// docker-machine's commands
	{"use two", "context --use two"},
	{"start default", "docker-machine start default"},
	{"stop default", "docker-machine stop default"},
	{"ssh default uname -a", "docker-machine ssh default uname -a"},
	{"ip", "docker-machine ip"},
	{"status two", "docker-machine status two"},
	{"rm two", "docker-machine rm two"},
	{"scp default:/a b", "docker-machine scp default:/a b"},
	{"inspect default", "docker-machine inspect default"},
	{"upgrade default", "docker-machine upgrade default"},
	{"kill default", "docker-machine kill default"},
	{"restart default", "docker-machine restart default"},
	{"config default", "docker-machine config default"},
	{"url default", "docker-machine url default"},
	{"active", "docker-machine active"},
	{"provision default", "docker-machine provision default"},
	{"create dev", "fix --create dev"},
	{"regenerate-certs default", "cert renew default"},
	// subcommands
	{"cert shwo default", "cert show default"},
	{"cert RENEW default", "cert renew default"},
	{"cert", "cert show"},
	{"modules", "modules restart"},
	{"modules resart", "modules restart"},
	{"modules frobnicate", "modules --help"},
	{"guard stat", "guard status"},
	{"guard local", "guard --help"},
	{"guard statsu -H default", "guard status -H default"},
	{"help doctr", "help doctor"},
	{"ports bogus --help", "ports --help"},
	{"ports folow --help", "ports follow --help"},
	{"guard bogus -h", "guard --help"},
	{"proxy bogus --help", "proxy --help"},
	{"cert shwo --help", "cert show --help"},
	{"doktor default --help", "doctor default --help"},
	{"help cert shwo", "help cert show"},
	// flags
	{"doctor --al", "doctor --all"},
	{"ls --jsno", "ls --json"},
	{"doctor --jsno=true default", "doctor '--json=true' default"},
	{"fix --dryrun default", "fix --dry-run default"},
	{"fix -dry-run default", "fix --dry-run default"},
	{"fix -n default", "fix --dry-run default"},
	{"ls -json", "ls --json"},
	{"fix -Y --dry-run default", "fix -y --dry-run default"},
	{"ls --debug", "ls --verbose"},
	{"doctor --dry-run default", "fix --dry-run default"},
	{"ls ---json", "ls --json"},
	{"modules restart --dry-run", "fix --dry-run"},
	{"cert renew --dry-run two", "fix --reissue --dry-run two"},
	{"cert foo --jsno", "cert --help"},
	{"proxy --certs /nowhere --read-onyl", "proxy --certs /nowhere --read-only"},
	{"proxy --crets /nowhere", "proxy --certs /nowhere"},
	{"proxy bogus --read-onyl", "proxy --help"},
	{"ports --remap -H default", "ports follow --remap -H default"},
	{"ports default --bnd=127.0.0.1", "ports follow default '--bind=127.0.0.1'"},
	{"ports folow --remap default", "ports follow --remap default"},
	{"ports --frobnicate default", "ports --help"},
	{"cert --out=/dev/null", "cert client --help"},
	{"guard --public auto", "guard start --public auto"},
	{"--frobnicate ports", "--help"},
	{"--frobnicate=1 ports", "ports --help"},
	{"--dry-run fix default", "fix default --dry-run"},
	{"dry-run default", "fix --dry-run default"},
	{"-V", "--version"},
	{"-storage-path STORE ls", "--storage-path STORE ls"},
	{"ls -storage-path=STORE", "ls '--storage-path=STORE'"},
	{"env --unst", "env --unset"},
	{"fix --force --dry-run default", "fix --yes --dry-run default"},
	{"cert show --certs ./certs", "proxy --certs ./certs --check"},
	{"ls --frobnicate", "ls --help"},
	// values of flags
	{"fix --dry-run --port abc default", "fix --dry-run --port 2376 default"},
	{"fix --dry-run --port=abc default", "fix --dry-run --port 2376 default"},
	{"fix --dry-run --port 0 default", "fix --dry-run --port 2376 default"},
	{"fix --dry-run --port 70000 default", "fix --dry-run --port 2376 default"},
	{"fix --dry-run default --port", "fix --dry-run default --port 2376"},
	{"ls --timeout 5", "ls --timeout 5s"},
	{"ls --timeout soon", "ls --timeout 2m"},
	{"ls --timeout=-5s", "ls --timeout 5s"},
	{"ls --timeout", "ls --timeout 2m"},
	{"ls --json=maybe", "ls --json"},
	{"ls --color purple", "ls --color auto"},
	{"ls --color alwyas", "ls --color always"},
	{"env --unset --shell zhs", "env --unset --shell zsh"},
	{"env --unset --shell frobshell", "env --help"},
	{"env --unset --shell ''", "env --help"},
	{"completion", "completion bash"},
	{"completion zhs", "completion zsh"},
	{"completion tcsh", "completion zsh"},
	// machines
	{"doctor defualt", "doctor default"},
	{"fix defualt", "fix default"},
	{"fix --yes defualt", "fix --yes default"},
	{"env Default", "env default"},
	{"doctor Two", "doctor two"},
	{"doctor web01", "doctor Web01"},
	{"undo tow", "undo two"},
	{"doctor nosuch", "ls"},
	{"doctor ../default", "doctor default"},
	{"doctor de_fault", "doctor default"},
	{"doctor default two", "doctor default"},
	{"doctor --all default", "doctor --all"},
	{"undo --all default", "undo --all"},
	{"env --unset default", "env --unset"},
	{"ls default", "ls"},
	{"version now", "version"},
	// codes
	{"explain route.hijackd", "explain route.hijacked"},
	{"explain hijacked", "explain route.hijacked"},
	{"explain route_hijacked", "explain route.hijacked"},
	{"explain kubernetes", "explain"},
	{"explain daemno", "explain daemon"},
	{"explain ''", "explain"},
	{"explain connection refused", "explain 'connection refused'"},
	{"explain --", "explain -- docker ps"},
}

// goText matches the texts of Go's own errors.
var goText = regexp.MustCompile(`strconv\.|time: |parsing "|invalid argument|invalid syntax|unknown shorthand|flag needs|bad flag|(?:open|stat|read|mkdir) /|\(\*|%!`)

func TestWrongInputHasTheHintThatAUserNeeds(t *testing.T) {
	home := homeWith(t, "default", "two", "Web01")
	store := filepath.Join(home, ".docker", "machine")
	ran := map[string]bool{}
	for _, c := range wrongInputs {
		line, want := strings.ReplaceAll(c.line, "STORE", store), strings.ReplaceAll(c.hint, "STORE", store)
		if !strings.HasPrefix(want, "docker-machine ") && !strings.HasPrefix(want, "export ") {
			want = "docker-vpn-helper " + want
		}
		code, stdout, stderr := run(t, home, line)
		hints := cmdline.Printed(stderr)
		if code != exitUsage || stdout != "" || len(hints) != 1 || hints[0] != want || goText.MatchString(stderr) {
			t.Errorf("%s: exit %d, want 2 and the one hint %q\n%s%s", line, code, want, stdout, stderr)
			continue
		}
		if command, ours := strings.CutPrefix(want, "docker-vpn-helper "); ours && !ran[want] {
			ran[want] = true
			if code, _, stderr := run(t, home, command); code == exitUsage && command != "fix --create dev" {
				t.Errorf("%s: its hint %q ends with wrong usage, too:\n%s", line, want, stderr)
			}
		}
	}
}

// If the wrong name of a machine comes from the environment, the hint names the nearest one.
func TestWrongMachineInTheEnvironment(t *testing.T) {
	_, _, stderr := run(t, homeWith(t, "default", "two"), "doctor", "DOCKER_MACHINE_NAME", "defualt")
	if !strings.Contains(stderr, "hint: docker-vpn-helper doctor default\n") {
		t.Error(stderr)
	}
}

// Errors about files name the path once, and no system call.
func TestFilesThatCannotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root reads every file: a directory stands in for what cannot be read")
	}
	home := homeWith(t, "default")
	state := filepath.Join(home, "state")
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"fix default", "cert renew default", "context default", "modules restart", "-s " + state + " ls", "-s " + state + "/x doctor default", "undo --all"} {
		code, _, stderr := run(t, home, line, "XDG_STATE_HOME", state)
		if code == exitOK || goText.MatchString(stderr) {
			t.Errorf("%s: exit %d\n%s", line, code, stderr)
		}
	}
}

// If the state directory cannot be read, it must not count as empty. The hint shows that directory.
func TestStateThatCannotBeRead(t *testing.T) {
	home := homeWith(t, "default")
	state := filepath.Join(home, ".local", "state", "docker-vpn-helper")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"undo --list", "undo --list default", "undo --list --all", "undo --dry-run default", "undo default", "undo --all"} {
		code, stdout, stderr := run(t, home, line, unreadable, state)
		if code != exitProblems || stdout != "" || strings.Contains(stderr, "No repairs") || !strings.HasSuffix(stderr, "hint: ls -ld "+state+"\n") {
			t.Errorf("%s: exit %d\n%s%s", line, code, stdout, stderr)
		}
	}
}

// If a flag's value is missing, the hint has a valid one, or is the command's help.
func TestHintForAFlagWithoutItsValue(t *testing.T) {
	home := homeWith(t, "default")
	for line, want := range map[string]string{
		"fix --port":           "hint: docker-vpn-helper fix --port 2376\n",
		"allow web --from":     "hint: docker-vpn-helper allow --help\n",
		"guard start --allow":  "hint: docker-vpn-helper guard start --help\n",
		"proxy --certs":        "hint: docker-vpn-helper proxy --help\n",
		"guard start --public": "hint: docker-vpn-helper guard start --public auto\n",
	} {
		if code, _, stderr := run(t, home, line); code != exitUsage || !strings.HasSuffix(stderr, want) {
			t.Errorf("%s: exit %d, %s want %s", line, code, stderr, want)
		}
	}
}
