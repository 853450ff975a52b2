//go:build realvbox

package realvbox

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// The transcript machines vbox72_recorded_* hold VirtualBox's own answers. -update writes
// them down anew.
var update = flag.Bool("update", false, "write VirtualBox's answers into the transcript machines")

const transcripts = "/project/internal/layers/testdata/machines"

func TestRecordedAnswers(t *testing.T) {
	for name, situation := range map[string]struct {
		vms     []string
		arrange func(*box)
		warns   bool // the kernel module's device is missing
	}{
		"poweroff":              {vms: []string{"default"}},
		"module_missing":        {vms: []string{"default"}, warns: true},
		"port_of_another_vm":    {vms: []string{"default", "dev"}, arrange: func(b *box) { b.manage("modifyvm", "dev", "--natpf1", "web,tcp,,2376,,80") }},
		"unregistered":          {vms: []string{"default", "dev"}, arrange: func(b *box) { b.manage("unregistervm", "default") }},
		"snapshot_and_comments": {vms: []string{"default"}, arrange: comments},
		"inaccessible": {vms: []string{"default"}, arrange: func(b *box) {
			b.stopService()
			b.must(os.Remove(settings("default")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, situation.vms...)
			if !situation.warns {
				b.device()
			}
			masked := b.masks(situation.vms)
			if situation.arrange != nil {
				situation.arrange(b)
			}
			file := filepath.Join(transcripts, "vbox72_recorded_"+name+".txtar")
			want, err := os.ReadFile(file)
			b.must(err)
			got := txtar.Format(b.record(txtar.Parse(want), masked))
			if *update {
				b.must(os.WriteFile(file, got, 0o644))
			} else if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("VirtualBox answers otherwise (-recorded +now):\n%s", diff)
			}
		})
	}
}

// comments gives the VM a snapshot, and texts that look like VirtualBox's own.
func comments(b *box) {
	b.manage("snapshot", "default", "take", `before "it"`, "--description", `VMState="running"`)
	b.manage("modifyvm", "default", "--description", "UUID=\"x\"\nVMState=\"running\"\n")
}

// masks pairs what differs from run to run with what stands for it in a transcript: the
// UUIDs of VMs, and root's home directory.
func (b *box) masks(names []string) (pairs []string) {
	b.Helper()
	for i, name := range names {
		pairs = append(pairs, b.uuid(name), fmt.Sprintf("5f2d6c1e-7b3a-4a55-9d0e-2c41f0b7a9%02x", 0x11+i))
	}
	return append(pairs, home+"/", "/home/ann/")
}

// record runs the commands of an archive that are VBoxManage's, and puts the answers in.
func (b *box) record(from *txtar.Archive, masked []string) *txtar.Archive {
	b.Helper()
	to := &txtar.Archive{Comment: from.Comment}
	recording := false
	for _, section := range from.Files {
		args, isCall := strings.CutPrefix(section.Name, "$ VBoxManage ")
		if !isCall {
			if section.Name != "stderr" || !recording {
				to.Files, recording = append(to.Files, section), false
			}
			continue
		}
		recording = true
		args, _, _ = strings.Cut(args, " =>")
		argv := []string{launcher}
		for arg := range strings.FieldsSeq(args) {
			argv = append(argv, unmask(arg, masked))
		}
		a := run(b.T, argv...)
		name := "$ VBoxManage " + args
		if a.exit != 0 {
			name += fmt.Sprintf(" => exit %d", a.exit)
		}
		to.Files = append(to.Files, txtar.File{Name: name, Data: []byte(mask(a.stdout, masked))})
		if a.stderr != "" {
			to.Files = append(to.Files, txtar.File{Name: "stderr", Data: []byte(mask(a.stderr, masked))})
		}
	}
	return to
}

var (
	times    = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+`)
	kernels  = regexp.MustCompile(`linux-headers-\S+`)
	snapshot = regexp.MustCompile(`(SnapshotUUID[-\d]*=")[0-9a-f-]+`)
)

func mask(text string, masked []string) string {
	text = strings.NewReplacer(masked...).Replace(text)
	text = times.ReplaceAllString(text, "2026-03-02T08:11:09.514000000")
	text = kernels.ReplaceAllString(text, "linux-headers-6.12.48+deb13-amd64.")
	text = snapshot.ReplaceAllString(text, "${1}9b8f2f5c-0c55-4f0e-8d1b-6f6f4c0b7a01")
	seen := 0
	return macs.ReplaceAllStringFunc(text, func(string) string {
		seen++
		return fmt.Sprintf("0800275B1C%02X", seen)
	})
}

func unmask(arg string, masked []string) string {
	for i := 0; i < len(masked); i += 2 {
		arg = strings.ReplaceAll(arg, masked[i+1], masked[i])
	}
	return arg
}
