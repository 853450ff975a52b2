package vmchange

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
)

// Between the plan and the repair a program has begun to listen on the planned port.
func TestThePlannedPortIsTakenMeanwhile(t *testing.T) {
	const taken = `Debian 12, VirtualBox 6.1.26.

-- computer --
os linux
taken 2376
-- $ VBoxManage list vms --
"x" {1111}
-- $ VBoxManage showvminfo x --machinereadable --
name="x"
UUID="1111"
VMState="poweroff"
nic1="nat"
-- $ VBoxManage modifyvm x --natpf1 docker-vpn-helper,tcp,127.0.0.1,2377,,2376 --
-- $ ss -Hltnp 'sport = :2376' --
`
	for name, tt := range map[string]struct {
		demanded bool
		want     AddRule
		err      string
		ran      []string
	}{
		"any_will_do": {false, AddRule{VM: "x", UUID: "1111", Slot: 1, Port: 2377, Settled: true}, "",
			[]string{"$ VBoxManage modifyvm x --natpf1 docker-vpn-helper,tcp,127.0.0.1,2377,,2376"}},
		"the_user_has_asked_for_it": {true, AddRule{VM: "x", UUID: "1111", Slot: 1, Port: 2376, Demanded: true},
			"port 2376 cannot be used for the NAT rule to dockerd: another program listens on it", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tgt, c := on(t, taken)
			tgt.Network = laptop.New(c)
			rule := &AddRule{VM: "x", UUID: "1111", Slot: 1, Port: 2376, Demanded: tt.demanded}
			got := ""
			if err := rule.Apply(t.Context(), tgt); err != nil {
				got = err.Error()
			}
			ran := slices.DeleteFunc(c.Ran(), func(cmd string) bool { return !strings.Contains(cmd, "natpf") })
			if diff := cmp.Diff(tt.want, *rule); diff != "" || got != tt.err {
				t.Errorf("%q, want %q\n%s", got, tt.err, diff)
			}
			if !slices.Equal(tt.ran, ran) {
				t.Errorf("ran %q, want %q", ran, tt.ran)
			}
		})
	}
}
