package layers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Every hint of every transcript machine is followed on the machine's stand-in. Its commands
// succeed, or fail for the reason in the transcript; nothing is worse than before; and if the hint
// is a repair, the finding is gone.
func TestFollowedHintsHelp(t *testing.T) {
	eachMachine(t, func(t *testing.T, m transcript) {
		r := newReader(t, m, nil)
		done := map[string]bool{}
		for _, l := range r.diagnose().Layers {
			for _, f := range slices.Concat(l.Findings, l.Hidden) {
				// One store has the hint's paths, and that of the reader who follows it.
				if line := f.Hint.String(); line != "" && !done[line] {
					done[line] = true
					follow(t, m, l.Layer, f.Code)
				}
			}
		}
	})
}

// follow runs the hint of one finding on a computer of its own.
func follow(t *testing.T, m transcript, layer, code string) {
	r := newReader(t, m, nil)
	before := r.diagnose()
	f, hidden := findingOf(before, layer, code)
	if slices.ContainsFunc(plans(before), func(c string) bool { return strings.Contains(c, "kernel modules") }) {
		r = newReader(t, m, hosttest.New(t, m.computer)) // the transcript knows whether modules load
		before = r.diagnose()
	}
	failed := r.paste(f.Hint)
	if failed != nil && !r.expected(failed, before, code) {
		t.Errorf("%s: %s: %v", code, f.Hint, failed)
	}
	after := r.diagnose()
	for i, l := range after.Layers {
		if was, is := worst(before.Layers[i]), worst(l); weight(is) > weight(was) {
			t.Errorf("%s: after %s, %s is %s, not %s: %v", code, f.Hint, l.Layer, is, was, titles(l))
		}
	}
	if weight(after.Verdict) > weight(before.Verdict) {
		t.Errorf("%s: after %s, the verdict is %s, not %s", code, f.Hint, after.Verdict, before.Verdict)
	}
	if g, _ := findingOf(after, layer, code); r.repaired && failed == nil && !hidden && g.Code == code && g.Status != engine.OK {
		t.Errorf("%s: after %s it is there still: %s", code, f.Hint, g.Title)
	}
}

// reader is a user who pastes hints on a transcript's computer.
type reader struct {
	t        *testing.T
	m        transcript
	l        *laptop
	store    string
	env      map[string]string
	repaired bool // something that was pasted claims to repair
}

// newReader is at the stand-in of a transcript, or at another computer.
func newReader(t *testing.T, m transcript, c *hosttest.Computer) *reader {
	r := &reader{t: t, m: m, env: map[string]string{}}
	var s *standIn
	if c == nil {
		s = newStandIn(t, m)
		c = s.computer
	}
	r.l, r.store = m.laptop(t, c)
	r.l.standIn = s
	return r
}

func (r *reader) open() *target.Target {
	tgt := r.m.target(r.t, r.l, r.store)
	tgt.Getenv = func(name string) string { return r.env[name] }
	return tgt
}

func (r *reader) diagnose() engine.Report { return diagnoseOn(r.t, r.open()) }

// person are the programs that need a person, or that only show something.
var person = []string{"open", "brew", "ps"}

// paste runs the commands of a hint in their order, up to one that fails.
func (r *reader) paste(h hint.Hint) error {
	for i := 0; i < len(h); i++ {
		argv := slices.DeleteFunc(slices.Clone(h[i].Argv), func(word string) bool { return word == "sudo" })
		var err error
		switch {
		case len(argv) == 0: // shell text, for a person
		case slices.Contains(person, argv[0]), slices.Equal(argv, []string{"VBoxManage", "list", "vms"}):
		case i+1 < len(h) && h[i+1].After == "|":
			i++
			line := slices.Concat(argv, []string{"|"}, slices.DeleteFunc(slices.Clone(h[i].Argv), func(word string) bool { return word == "sudo" }))
			err = r.run(line)
			r.repaired = true
		case argv[0] == "docker-vpn-helper":
			err = r.own(argv[1:])
			if err == nil && h[i].Eval {
				err = r.eval(r.open())
			}
		case argv[0] == "docker-machine" && argv[1] == "rm":
			return nil // the scripts of the whole program create machines
		default:
			r.repaired = true
			err = r.run(argv)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) run(argv []string) error {
	_, err := r.l.Run(r.t.Context(), host.Cmd{Argv: argv})
	return err
}

// own is a command of this program.
func (r *reader) own(args []string) error {
	tgt := r.open()
	switch args[0] {
	case "explain", "doctor", "env": // they change nothing; Eval is what env is for
		return nil
	case "modules":
		return r.restartModules(tgt)
	case "fix":
		tgt.RulePort, tgt.StopVMs = 0, false // the hint has its own flags
		if i := slices.Index(args, "--port"); i > 0 {
			tgt.RulePort, _ = strconv.Atoi(args[i+1])
		}
		if slices.Contains(args, "--reissue") {
			tgt.Reissue = true // nothing can be changed on this docker host: the plan is what there is
			if plan := plans(diagnoseOn(r.t, tgt)); !slices.ContainsFunc(plan, func(c string) bool { return strings.Contains(c, "certificate") }) {
				return errors.New("no certificate would be reissued")
			}
			return nil
		}
		r.repaired = true
		return repairOn(r.t, tgt)
	}
	r.t.Errorf("no command %q", args)
	return nil
}

// eval sets the variables that env prints.
func (r *reader) eval(tgt *target.Target) error {
	to := tgt.Endpoints.ForDocker(r.t.Context())
	if err := tgt.Endpoints.Verify(r.t.Context(), to); err != nil {
		return err
	}
	vars, err := tgt.Endpoints.Environment(r.t.Context(), to)
	for _, v := range vars {
		r.env[v.Name] = v.Value
	}
	r.repaired = true
	return err
}

func (r *reader) restartModules(tgt *target.Target) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	session, err := engine.Lock(ctx, engine.Job{Dir: r.t.TempDir(), Laptop: r.l, Open: func() (*target.Target, error) { return tgt, nil },
		Command: "modules", Sink: agrees{}, Now: time.Now})
	check(r.t, err)
	defer session.Close()
	defer tgt.Enter(mode.Repair())()
	r.repaired = true
	_, err = session.Apply(ctx, ctx, []engine.Change{&vmchange.RestartModules{}})
	return err
}

// expected reports whether a command failed for a reason that is known: the transcript has it,
// it is another finding of the diagnosis, or docker does not work.
func (r *reader) expected(failed error, before engine.Report, code string) bool {
	reason, _, _ := strings.Cut(failed.Error(), "\n")
	var incomplete *engine.RollbackError
	if errors.As(failed, &incomplete) {
		return false
	}
	if before.Verdict != engine.OK && strings.HasPrefix(reason, "no answer from dockerd") {
		return true // env prints nothing then
	}
	for _, f := range allFindings(before) {
		if f.Code != code && f.Status != engine.OK && strings.Contains(reason, f.Title) {
			return true
		}
	}
	_, failure, _ := strings.Cut(r.m.fix, "error: ")
	failure, _, _ = strings.Cut(failure, "\n")
	return failure != "" && strings.Contains(reason, failure) || strings.Contains(failure, reason)
}

// findingOf is a layer's finding with a code, and whether another layer's hides it.
func findingOf(r engine.Report, layer, code string) (f engine.Finding, hidden bool) {
	for _, l := range r.Layers {
		for i, f := range slices.Concat(l.Findings, l.Hidden) {
			if l.Layer == layer && f.Code == code {
				return f, i >= len(l.Findings)
			}
		}
	}
	return engine.Finding{}, false
}

// weight orders statuses; of a layer that is blocked nothing good is known.
func weight(s engine.Status) int {
	return slices.Index([]engine.Status{engine.OK, engine.Skipped, engine.Warn, engine.Unknown, engine.Blocked, engine.Fail}, s)
}

// worst is a layer's status without what stands aside.
func worst(l engine.LayerReport) engine.Status {
	if l.Status == engine.Blocked || l.Status == engine.Skipped {
		return l.Status
	}
	status := engine.OK
	for _, f := range l.Findings {
		if f.Weight != engine.Aside && weight(f.Status) > weight(status) {
			status = f.Status
		}
	}
	return status
}

func titles(l engine.LayerReport) (all []string) {
	for _, f := range l.Findings {
		all = append(all, f.Code+": "+f.Title)
	}
	return all
}
