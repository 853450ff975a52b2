//go:build realvbox

package realvbox

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// calls are VBoxManage's command lines, one after the other; $BASE is a directory.
const calls = `
--version
list vms
list runningvms
list hostonlyifs
list hostonlynets
list bogus
bogus
showvminfo default --machinereadable
createvm --name default --basefolder $BASE --register
createvm --name default --basefolder $BASE --register
list vms
showvminfo default --machinereadable
modifyvm default --nic1 nat --nic2 hostonly --hostonlyadapter2 vboxnet0 --memory 512
showvminfo default --machinereadable
modifyvm default --natpf1 ssh,tcp,127.0.0.1,2222,,22
modifyvm default --natpf1 ssh,tcp,127.0.0.1,2223,,22
modifyvm default --natpf1 other,tcp,127.0.0.1,2222,,23
modifyvm default --natpf1 other,udp,127.0.0.1,2222,,23
modifyvm default --natpf1 any,tcp,,2222,10.0.2.15,23
modifyvm default --natpf1 ,tcp,,10,,20
modifyvm default --natpf1 Upper,tcp,localhost,11,,20
modifyvm default --natpf1 two~words,tcp,,12,,20
modifyvm default --natpf1 six,tcp,::1,13,,20
modifyvm default --natpf1 word,tcp,,x,,22
modifyvm default --natpf1 huge,tcp,,70000,,22
modifyvm default --natpf1 capitals,TCP,,70,,22
modifyvm default --natpf1 long,tcp,,71,,72,73
modifyvm default --natpf1 short,tcp,,71,72
modifyvm default --natpf1 bad
modifyvm default --natpf1 proto,sctp,,71,,72
modifyvm default --natpf1
modifyvm default --natpf1 delete
modifyvm default --natpf1 delete none
modifyvm default --natpf1 delete Upper
modifyvm default --nat-pf1 dashed,tcp,,74,,75
modifyvm default --natpf3 unused,tcp,,14,,20
modifyvm default --natpf9 nowhere,tcp,,15,,20
modifyvm default
modifyvm default --bogus 1
modifyvm none --natpf1 a,tcp,,1,,2
showvminfo default --machinereadable
controlvm default natpf1 a,tcp,,1,,2
controlvm default natpf1 delete ssh
controlvm default pause
controlvm default poweroff
controlvm default bogus
controlvm default
controlvm none pause
startvm none --type headless
startvm default --type bogus
discardstate default
discardstate none
guestproperty get default /VirtualBox/GuestInfo/Net/1/V4/IP
guestproperty get none /VirtualBox/GuestInfo/Net/1/V4/IP
guestproperty set default /a/b c
guestproperty get default /a/b
guestproperty get default
hostonlyif ipconfig vboxnet9 --ip 192.168.99.1 --netmask 255.255.255.0
hostonlyif remove vboxnet9
hostonlyif bogus
hostonlynet add --name x --netmask 255.255.255.0 --lower-ip 192.168.99.1 --upper-ip 192.168.99.254 --enable
dhcpserver add --netname HostInterfaceNetworking-vboxnet7 --ip 192.168.99.2 --netmask 255.255.255.0 --lowerip 192.168.99.100 --upperip 192.168.99.254 --enable
dhcpserver add --netname HostInterfaceNetworking-vboxnet7 --ip 192.168.99.2 --netmask 255.255.255.0 --lowerip 192.168.99.100 --upperip 192.168.99.254 --enable
dhcpserver modify --netname none --ip 192.168.99.2 --netmask 255.255.255.0 --lowerip 192.168.99.100 --upperip 192.168.99.254 --enable
dhcpserver remove --netname HostInterfaceNetworking-vboxnet7
dhcpserver remove --netname none
storagectl default --name SATA --add sata
storageattach default --storagectl SATA --port 0 --device 0 --type dvddrive --medium emptydrive
storageattach none --storagectl SATA --port 0 --device 0 --type dvddrive --medium emptydrive
createvm --name two~words --basefolder $BASE --register
list vms
modifyvm default --name renamed
showvminfo default --machinereadable
showvminfo renamed --machinereadable
unregistervm none
unregistervm two~words
unregistervm renamed --delete
list vms
`

// The stand-in answers as VirtualBox does: exit status, errors, lists, and the keys and
// rules of a VM.
func TestStandInAnswersAsVirtualBox(t *testing.T) {
	b := newBox(t)
	fake := t.TempDir()
	t.Setenv("FAKEVBOX_HOME", fake)
	version := strings.TrimSpace(b.manage("--version"))
	b.must(fakevbox.Update(fake, func(w *fakevbox.VirtualBox) error {
		w.Version, w.Platform = version, "linux"
		return nil
	}))
	differ := 0
	for line := range strings.Lines(calls) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		args := func(base string) (args []string) {
			for arg := range strings.FieldsSeq(line) {
				args = append(args, strings.NewReplacer("~", " ", "$BASE", base).Replace(arg))
			}
			return args
		}
		want := comparable(run(t, append([]string{manage}, args(filepath.Join(home, "VirtualBox VMs"))...)...), filepath.Join(home, "VirtualBox VMs"))
		var stdout, stderr bytes.Buffer
		exit := fakevbox.Manage(args(filepath.Join(fake, "vms")), os.Stdin, &stdout, &stderr)
		got := comparable(answer{stdout.String(), stderr.String(), exit}, filepath.Join(fake, "vms"))
		if diff := cmp.Diff(want, got); diff != "" {
			differ++
			t.Errorf("VBoxManage %s (-VirtualBox +stand-in):\n%s", line, diff)
		}
	}
	t.Logf("VirtualBox %s: %d of %d calls differ", version, differ, strings.Count(calls, "\n")-1)
}

// shown is what of an answer must be the same.
type shown struct {
	Exit   int
	Kind   vbox.ErrorKind // as the program understands it
	Errors []string
	Keys   []string // of a machine-readable answer, in their order
	Lines  []string
}

var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	macs    = regexp.MustCompile(`0800[0-9A-F]{8}`)
	context = regexp.MustCompile(`^(VBoxManage: error: Context: "\w+)\b.*`)
	keys    = regexp.MustCompile(`(?m)^("[^"]*"|[\w() -]+)=`)
	read    = regexp.MustCompile(`^(name|UUID|CfgFile|VMState|nic\d|macaddress\d|hostonlyadapter\d|natnet\d|Forwarding\(\d+\))=`)
)

// comparable leaves out what differs between two VirtualBoxes of one version: UUIDs, MAC
// addresses, times and the usage text. Of the place in VirtualBox's source it leaves the
// function, of a VM's settings those that the program reads.
func comparable(a answer, base string) shown {
	mask := func(s string) string {
		s = strings.ReplaceAll(s, base, "$BASE")
		return macs.ReplaceAllString(uuids.ReplaceAllString(s, "UUID"), "MAC")
	}
	s := shown{Exit: a.exit}
	for line := range strings.Lines(a.stderr) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "VBoxManage: ") {
			s.Errors = append(s.Errors, context.ReplaceAllString(mask(line), "$1"))
		}
	}
	s.Errors = slices.Compact(s.Errors)
	if len(s.Errors) > 0 {
		s.Kind = vbox.Classify(a.stderr)
	}
	readable := strings.Contains(a.stdout, "\nVMState=")
	for line := range strings.Lines(a.stdout) {
		line = strings.TrimSpace(line)
		if key := keys.FindString(line); readable && key != "" {
			s.Keys = append(s.Keys, key)
		}
		if !readable || read.MatchString(line) {
			s.Lines = append(s.Lines, mask(line))
		}
	}
	return s
}
