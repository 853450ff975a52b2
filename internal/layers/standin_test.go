package layers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
)

// standIn is a transcript's computer on which commands really change something: they edit the
// transcript, as VirtualBox and the kernel would change their answers. The outcome that the
// transcript has for such a command is ignored. An address is reachable as soon as its route is
// right.
type standIn struct {
	t        *testing.T
	computer *hosttest.Computer
	vm       string
	addr     netip.Addr   // the VM's
	laptop   netip.Prefix // the laptop's in the VM's network

	mu    sync.Mutex
	text  *txtar.Archive
	asked int // how often VirtualBox was asked about the VM
}

// newStandIn starts with the transcript as it is before any command has changed it.
func newStandIn(t *testing.T, m transcript) *standIn {
	t.Helper()
	text := txtar.Parse(m.computer)
	if i := slices.IndexFunc(text.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "scene ") }); i >= 0 {
		text.Files = text.Files[:i]
	}
	for i, f := range text.Files {
		text.Files[i].Name, _, _ = strings.Cut(f.Name, " => scene ")
	}
	c, err := hosttest.Parse(txtar.Format(text))
	check(t, err)
	s := &standIn{t: t, computer: c, vm: m.value("name", "default"), text: text}
	s.addr, _ = netip.ParseAddr(m.value("ip", "192.168.99.100"))
	s.laptop, _ = netip.ParsePrefix(m.value("cidr", "192.168.99.1/24"))
	return s
}

// run runs a command. A command that neither the transcript nor this file has fails.
func (s *standIn) run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	argv := slices.Clone(cmd.Argv)
	argv[0] = argv[0][strings.LastIndex(argv[0], "/")+1:]
	line := strings.Join(argv, " ")
	s.mu.Lock()
	for _, c := range commands {
		if m := c.pattern.FindStringSubmatch(line); m != nil {
			err := c.does(s, m)
			check(s.t, s.computer.Become(txtar.Format(s.text)))
			s.mu.Unlock()
			if err != nil {
				return host.Output{}, &host.CmdError{Argv: cmd.Argv, Exit: 1, Stderr: err.Error()}
			}
			return host.Output{}, nil
		}
	}
	if strings.HasPrefix(line, "VBoxManage showvminfo 5f2d6c1e-") { // a rollback names the VM by its UUID
		cmd.Argv = []string{cmd.Argv[0], "showvminfo", s.vm, "--machinereadable"}
	}
	if strings.HasPrefix(line, "VBoxManage showvminfo ") && s.comesUp() {
		s.start()
		check(s.t, s.computer.Become(txtar.Format(s.text)))
	}
	s.mu.Unlock()
	switch line {
	case "sysctl -n kern.bootsessionuuid":
		return host.Output{Stdout: []byte("9B5C7E2A-3D14-4F6B-8A21-0C7D5E9F1A33\n")}, nil
	case "VBoxManage list vms":
		return host.Output{Stdout: fmt.Appendf(nil, "%q {5f2d6c1e-7b3a-4a55-9d0e-2c41f0b7a911}\n", s.vm)}, nil
	}
	return s.computer.Run(ctx, cmd)
}

// commands are the commands that change something.
var commands = []struct {
	pattern *regexp.Regexp
	does    func(s *standIn, m []string) error
}{
	{regexp.MustCompile(`^VBoxManage (?:controlvm|modifyvm) \S+ (?:--)?natpf(\d) delete (\S+)$`), does(func(s *standIn, m []string) { s.deleteRule(m[2]) })},
	{regexp.MustCompile(`^VBoxManage (?:controlvm|modifyvm) \S+ (?:--)?natpf(\d) (\S+)$`), does(func(s *standIn, m []string) { s.addRule(m[1], m[2]) })},
	{regexp.MustCompile(`^VBoxManage (?:startvm \S+ --type headless|controlvm \S+ resume)$`), does(func(s *standIn, m []string) { s.start() })},
	{regexp.MustCompile(`^(?:VBoxManage controlvm \S+ poweroff|docker-machine stop \S+)$`), (*standIn).powerOff},
	{regexp.MustCompile(`^VBoxManage discardstate \S+$`), (*standIn).powerOff},
	{regexp.MustCompile(`^VBoxManage modifyvm \S+ --nic(\d) nat$`), (*standIn).attachNAT},
	{regexp.MustCompile(`^VBoxManage modifyvm \S+ --nic(\d) hostonlynet --host-only-net(\d) (.+)$`), (*standIn).attachNetwork},
	{regexp.MustCompile(`^VBoxManage hostonlynet add --name (.+) --netmask (\S+) --lower-ip (\S+) --upper-ip (\S+) --enable$`), (*standIn).addNetwork},
	{regexp.MustCompile(`^VBoxManage hostonlynet modify --name (.+) --lower-ip (\S+) --upper-ip (\S+) --netmask (\S+) --enable$`), (*standIn).changeNetwork},
	{regexp.MustCompile(`^VBoxManage registervm (\S+)$`), (*standIn).registerVM},
	{regexp.MustCompile(`^VBoxManage hostonlyif ipconfig (\S+) --ip (\S+) --netmask (\S+)$`), does(func(s *standIn, m []string) { s.configure(m[1], netip.PrefixFrom(netip.MustParseAddr(m[2]), 24)) })},
	{regexp.MustCompile(`^route -n delete `), does(func(*standIn, []string) {})},
	{regexp.MustCompile(`^route -n add -net (\S+) -interface (\S+)$`), does(func(s *standIn, m []string) { s.route(netip.MustParsePrefix(m[1]), m[2]) })},
	{regexp.MustCompile(`^ip route replace (\S+) dev (\S+) `), does(func(s *standIn, m []string) { s.route(netip.MustParsePrefix(m[1]), m[2]) })},
	{regexp.MustCompile(`^mkdir -p \S+$`), does(func(*standIn, []string) {})},
	{regexp.MustCompile(`^echo (.*) \| tee -a (\S+)$`), does(func(s *standIn, m []string) {
		f := s.section(m[2])
		f.Data = append(slices.Clip(f.Data), m[1]+"\n"...)
	})},
}

// does makes a command that always succeeds.
func does(f func(s *standIn, m []string)) func(*standIn, []string) error {
	return func(s *standIn, m []string) error { f(s, m); return nil }
}

// section returns a section of the transcript, and creates it if needed.
func (s *standIn) section(name string) *txtar.File {
	for i, f := range s.text.Files {
		if head, _, _ := strings.Cut(f.Name, " => "); head == name {
			s.text.Files[i].Name = name
			return &s.text.Files[i]
		}
	}
	s.text.Files = append(s.text.Files, txtar.File{Name: name})
	return &s.text.Files[len(s.text.Files)-1]
}

func (s *standIn) info() *txtar.File {
	return s.section("$ VBoxManage showvminfo " + s.vm + " --machinereadable")
}

// facts edits the lines of the computer's facts.
func (s *standIn) facts(drop func(line string) bool, add ...string) {
	f := s.section("computer")
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(f.Data)), "\n"), drop)
	f.Data = []byte(strings.Join(append(lines, add...), "\n") + "\n")
}

func keep(string) bool { return false }

func (s *standIn) addRule(slot, rule string) {
	f := s.info()
	nic := regexp.MustCompile(`(?m)^nic` + slot + `=.*\n`)
	f.Data = nic.ReplaceAll(f.Data, fmt.Appendf(nil, "${0}Forwarding(9)=%q\n", rule))
	s.listen()
}

func (s *standIn) deleteRule(name string) {
	f := s.info()
	f.Data = regexp.MustCompile(`(?m)^Forwarding\(\d+\)="`+regexp.QuoteMeta(name)+`,.*\n`).ReplaceAll(f.Data, nil)
}

// listen opens the ports of the NAT rules, as a running VM does.
func (s *standIn) listen() {
	data := s.info().Data
	if !bytes.Contains(data, []byte(`VMState="running"`)) {
		return
	}
	for _, m := range regexp.MustCompile(`(?m)^Forwarding\(\d+\)="[^,]*,tcp,([^,]*),(\d+),`).FindAllSubmatch(data, -1) {
		s.facts(keep, fmt.Sprintf("open 127.0.0.1:%s", m[2]))
	}
}

// comesUp reports whether a VM that was starting has come up.
func (s *standIn) comesUp() bool {
	s.asked++
	return s.asked > 3 && regexp.MustCompile(`(?m)^VMState="(starting|restoring)"`).Match(s.info().Data)
}

func (s *standIn) start() {
	f := s.info()
	f.Data = regexp.MustCompile(`(?m)^VMState=.*`).ReplaceAll(f.Data, []byte(`VMState="running"`))
	s.listen()
	if m := regexp.MustCompile(`(?m)^hostonlyadapter\d="(.*)"`).FindSubmatch(f.Data); m != nil {
		s.configure(string(m[1]), s.laptop)
	} else if bytes.Contains(f.Data, []byte(`="hostonlynetwork"`)) {
		s.configure("bridge100", s.laptop)
	} else if bytes.Contains(f.Data, []byte(`="bridged"`)) {
		s.facts(keep, fmt.Sprintf("open %s:22", s.addr), fmt.Sprintf("open %s:2376", s.addr))
	}
	s.section("$ VBoxManage guestproperty get " + s.vm + " /VirtualBox/GuestInfo/Net/1/V4/IP").Data = fmt.Appendf(nil, "Value: %s\n", s.addr)
}

// configure sets an adapter's address, for which the kernel adds a route.
func (s *standIn) configure(adapter string, addr netip.Prefix) {
	s.facts(func(line string) bool { return strings.HasPrefix(line, "link "+adapter+" ") }, fmt.Sprintf("link %s - up %s", adapter, addr))
	s.route(addr.Masked(), adapter)
}

// route adds a route through an interface. The VM becomes reachable if it is in that network.
func (s *standIn) route(net netip.Prefix, link string) {
	if !net.Contains(s.addr) {
		return
	}
	at := s.addr.String()
	s.facts(func(line string) bool {
		kind, rest, _ := strings.Cut(line, " ")
		return strings.HasPrefix(rest, at) && slices.Contains([]string{"route", "silent", "down", "unreachable", "refused"}, kind)
	}, "open "+at+":22", "open "+at+":2376", fmt.Sprintf("route %s %s %s", at, link, net))
	s.section("$ route -n get " + at).Data = fmt.Appendf(nil, "   route to: %s\ndestination: %s\n       mask: 255.255.255.0\n  interface: %s\n      flags: <UP,DONE,CLONING,STATIC>\n", at, net.Addr(), link)
}

// powerOff turns the VM off: its ports no longer answer.
func (s *standIn) powerOff([]string) error {
	f := s.info()
	f.Data = regexp.MustCompile(`(?m)^VMState=.*`).ReplaceAll(f.Data, []byte(`VMState="poweroff"`))
	forwarded := regexp.MustCompile(`(?m)^Forwarding\(\d+\)="[^,]*,tcp,[^,]*,(\d+),`).FindAllStringSubmatch(string(f.Data), -1)
	s.facts(func(line string) bool {
		return strings.HasPrefix(line, "open "+s.addr.String()+":") || slices.ContainsFunc(forwarded, func(m []string) bool { return line == "open 127.0.0.1:"+m[1] })
	})
	return nil
}

// attach changes a network card of the VM, which must be off.
func (s *standIn) attach(slot, lines string) error {
	f := s.info()
	if regexp.MustCompile(`(?m)^VMState="(running|paused|starting|gurumeditation)"`).Match(f.Data) {
		return errors.New("VBoxManage: error: The machine is already locked for a session (or being unlocked)")
	}
	if regexp.MustCompile(`(?m)^VMState="(saved|aborted-saved)"`).Match(f.Data) {
		return errors.New("VBoxManage: error: The machine is not mutable (state is Saved)")
	}
	f.Data = regexp.MustCompile(`(?m)^(bridgeadapter|hostonlyadapter|hostonly-network|natnet)`+slot+`=.*\n`).ReplaceAll(f.Data, nil)
	f.Data = regexp.MustCompile(`(?m)^nic`+slot+`=.*`).ReplaceAll(f.Data, []byte(lines))
	return nil
}

func (s *standIn) attachNAT(m []string) error {
	return s.attach(m[1], fmt.Sprintf("natnet%s=\"nat\"\nnic%s=\"nat\"", m[1], m[1]))
}

// networks returns the section with the list of host-only networks.
func (s *standIn) networks() *txtar.File { return s.section("$ VBoxManage list hostonlynets") }

func (s *standIn) attachNetwork(m []string) error {
	if m[1] != m[2] || !s.hasNetwork(m[3]) {
		return fmt.Errorf("VBoxManage: error: no host-only network %q for card %s", m[3], m[1])
	}
	return s.attach(m[1], fmt.Sprintf("hostonly-network%s=%q\nnic%s=\"hostonlynetwork\"", m[1], m[3], m[1]))
}

func (s *standIn) hasNetwork(name string) bool {
	return regexp.MustCompile(`(?m)^Name: +` + regexp.QuoteMeta(name) + `$`).Match(s.networks().Data)
}

func (s *standIn) addNetwork(m []string) error {
	if s.hasNetwork(m[1]) {
		return errors.New("VBoxManage: error: Failed to create the host-only network")
	}
	f := s.networks()
	f.Data = fmt.Appendf(slices.Clip(f.Data), "Name:            %s\nGUID:            3a0b1c2d-1111-4222-8333-444455557777\n\nState:           Enabled\nNetworkMask:     %s\nLowerIP:         %s\nUpperIP:         %s\nVBoxNetworkName: hostonly-%s\n\n", m[1], m[2], m[3], m[4], m[1])
	return nil
}

func (s *standIn) changeNetwork(m []string) error {
	if !s.hasNetwork(m[1]) {
		return errors.New("VBoxManage: error: Failed to find the host-only network")
	}
	f := s.networks()
	block := regexp.MustCompile(`(?s)(Name: +` + regexp.QuoteMeta(m[1]) + `\n.*?State: +)\w+(\nNetworkMask: +)\S+(\nLowerIP: +)\S+(\nUpperIP: +)\S+`)
	if !block.Match(f.Data) {
		return fmt.Errorf("no block of %s in the transcript", m[1])
	}
	f.Data = block.ReplaceAll(f.Data, fmt.Appendf(nil, "${1}Enabled${2}%s${3}%s${4}%s", m[4], m[2], m[3]))
	return nil
}

// registerVM registers the VM of a settings file: an ordinary one, off.
func (s *standIn) registerVM(m []string) error {
	if _, err := os.Stat(m[1]); err != nil {
		return fmt.Errorf("VBoxManage: error: Runtime error opening '%s' for reading: -102 (File not found.)", m[1])
	}
	s.info()
	for i, f := range s.text.Files { // what the command printed on stderr, too
		if strings.HasPrefix(f.Name, "$ VBoxManage showvminfo ") && i+1 < len(s.text.Files) && s.text.Files[i+1].Name == "stderr" {
			s.text.Files = slices.Delete(s.text.Files, i+1, i+2)
			break
		}
	}
	s.info().Data = []byte("name=\"" + s.vm + "\"\nUUID=\"5f2d6c1e-7b3a-4a55-9d0e-2c41f0b7a911\"\nCfgFile=\"" + m[1] + "\"\nVMState=\"poweroff\"\nnatnet1=\"nat\"\nnic1=\"nat\"\n" +
		"Forwarding(0)=\"ssh,tcp,127.0.0.1,50022,,22\"\nhostonlyadapter2=\"vboxnet0\"\nnic2=\"hostonly\"\n")
	return nil
}
