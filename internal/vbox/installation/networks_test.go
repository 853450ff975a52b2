package installation

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

func TestAllowed(t *testing.T) {
	const dockerMachine = "192.168.99.1/24"
	for situation, c := range map[string]struct {
		conf NetworksConf
		addr string
		want bool
	}{
		"no_file_docker_machines_default":   {NetworksConf{}, dockerMachine, false},
		"no_file_minikubes_default":         {NetworksConf{}, "192.168.59.1/24", true},
		"no_file_network_wider_than_range":  {NetworksConf{}, "192.168.56.1/20", false},
		"listed":                            {ParseNetworksConf([]byte("# ours\n* 10.0.0.0/8\t192.168.99.0/24\n")), dockerMachine, true},
		"listed_with_host_bits":             {ParseNetworksConf([]byte("* 192.168.99.1/24")), dockerMachine, true},
		"everything":                        {ParseNetworksConf([]byte("* 0.0.0.0/0 ::/0\n")), dockerMachine, true},
		"star_forgotten":                    {ParseNetworksConf([]byte("192.168.99.0/24\n")), dockerMachine, false},
		"star_stuck_to_the_range":           {ParseNetworksConf([]byte("*192.168.99.0/24\n")), dockerMachine, false},
		"windows_line_ends":                 {ParseNetworksConf([]byte("* 192.168.99.0/24\r\n")), dockerMachine, false},
		"file_takes_the_default_away":       {ParseNetworksConf([]byte("* 10.0.0.0/8\n")), "192.168.56.1/24", false},
		"empty_file_takes_the_default_away": {ParseNetworksConf(nil), "192.168.56.1/24", false},
	} {
		t.Run(situation, func(t *testing.T) {
			if got := Allowed(netip.MustParsePrefix(c.addr), c.conf); got != c.want {
				t.Errorf("%s: %v", c.addr, got)
			}
		})
	}
}

func TestParseNetworksConfNamesWhatVirtualBoxPassesOver(t *testing.T) {
	got := ParseNetworksConf([]byte("# comment\n192.168.99.0/24\n* 10.0.0.0/8 nonsense\n"))
	want := NetworksConf{Exists: true, Ranges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Ignored: []string{"192.168.99.0/24", "nonsense"}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// FuzzAllow: a file with the line that we tell people to add allows
// the address, whatever was in the file before.
func FuzzAllow(f *testing.F) {
	f.Add("* 10.0.0.0/8\n", byte(99), uint8(24))
	f.Add("192.168.99.0/24", byte(0), uint8(1))
	f.Fuzz(func(t *testing.T, before string, octet byte, bits uint8) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, octet, 1}), int(bits%33))
		for _, conf := range []NetworksConf{{}, ParseNetworksConf([]byte(before))} {
			text := Allow(p, conf).Line + "\n"
			if conf.Open {
				text = "\n" + text
			}
			if conf.Exists {
				text = before + text
			}
			if !Allowed(p, ParseNetworksConf([]byte(text))) {
				t.Errorf("%s is not allowed by\n%s", p, text)
			}
		}
		if !conforms(ParseNetworksConf([]byte(before))) {
			t.Error("a range that is not one")
		}
	})
}

func conforms(c NetworksConf) bool {
	for _, r := range c.Ranges {
		if !r.IsValid() || r != r.Masked() {
			return false
		}
	}
	return true
}

func TestLimitsHostOnly(t *testing.T) {
	if LimitsHostOnly(vbox.Version{Major: 6, Minor: 1, Patch: 26}) || !LimitsHostOnly(vbox.Version{Major: 6, Minor: 1, Patch: 28}) {
		t.Error("the limit is since 6.1.28")
	}
}

// The command is run by a shell, with a file of the test's in place of VirtualBox's.
func TestAllowHintBeginsALine(t *testing.T) {
	p := netip.MustParsePrefix("192.168.99.1/24")
	for _, before := range []string{"", "* 10.0.0.0/8\n", "* 10.0.0.0/8", "# comment", "\n"} {
		dir := t.TempDir()
		file := filepath.Join(dir, "networks.conf")
		conf := NetworksConf{}
		if before != "" {
			if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			conf = ParseNetworksConf([]byte(before))
		}
		command := Allow(p, conf).Hint().String()
		command = strings.ReplaceAll(strings.ReplaceAll(command, NetworksConfPath, file), "/etc/vbox", dir)
		if out, err := exec.Command("sh", "-ec", `sudo() { "$@"; }`+"\n"+command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
		after, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(after), before) || !Allowed(p, ParseNetworksConf(after)) {
			t.Errorf("%q became %q, %v", before, after, err)
		}
	}
}
