package hint

import (
	"encoding/json"
	"testing"
)

func TestHints(t *testing.T) {
	const storage, machine = "/my store", "dev"
	for name, tt := range map[string]struct {
		hint      Hint
		want, own string // without -s, and with it
	}{
		"none":           {nil, "", ""},
		"fix":            {Fix("--port", "2377"), "docker-vpn-helper fix --port 2377 dev", "docker-vpn-helper -s '/my store' fix --port 2377 dev"},
		"explain":        {Explain("ssh.timeout"), "docker-vpn-helper explain ssh.timeout", "docker-vpn-helper explain ssh.timeout"},
		"docker-machine": {DockerMachine("ssh", Machine, "sudo", "-n"), "docker-machine ssh dev sudo -n", "docker-machine -s '/my store' ssh dev sudo -n"},
		"other program":  {Run("chmod", "600", "/my key"), "chmod 600 '/my key'", "chmod 600 '/my key'"},
		"the machine in another program": {Run("VBoxManage", "controlvm", Machine, "poweroff").Then("&&", Fix()),
			"VBoxManage controlvm dev poweroff && docker-vpn-helper fix dev", "VBoxManage controlvm dev poweroff && docker-vpn-helper -s '/my store' fix dev"},
		"one after the other": {Run("a").Then(";", Run("b")).Then("|", Run("c")).Then("", Run("d")), "a; b | c\nd", "a; b | c\nd"},
		"nothing before it":   {Hint(nil).Then("&&", Run("b")), "b", "b"},
		"evaluated": {Env(),
			`eval "$(docker-vpn-helper env dev)"`, `eval "$(docker-vpn-helper -s '/my store' env dev)"`},
		"shell text": {Hint{{Argv: []string{"ssh", Machine}, Shell: `"date @$(date +%s)"`}}, `ssh dev "date @$(date +%s)"`, `ssh dev "date @$(date +%s)"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.hint.For("", machine).String(); got != tt.want {
				t.Errorf("%s, not %s", got, tt.want)
			}
			bound := tt.hint.For(storage, machine)
			if got := bound.For(storage, "other").String(); got != tt.own {
				t.Errorf("with -s: %s, not %s", got, tt.own)
			}
			text, err := json.Marshal(bound)
			want, _ := json.Marshal(tt.own)
			if err != nil || string(text) != string(want) {
				t.Errorf("JSON: %s, not %s, %v", text, want, err)
			}
		})
	}
}

// A docker-machine of another name stands in every command of the hint that is its.
func TestUsing(t *testing.T) {
	h := DockerMachine("rm", Machine).Then("&&", Fix("--create"))
	got := h.For("", "dev").Using(func() string { return "rancher-machine" }).String()
	if want := "rancher-machine rm dev && docker-vpn-helper fix --create dev"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	Fix().Using(func() string { t.Error("asked for without need"); return "" })
}
