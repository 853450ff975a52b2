package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

var (
	nat    = access.Address{Addr: "127.0.0.1:50022", NAT: true}
	direct = access.Address{Addr: "192.168.99.100:22"}
)

const ident = "SSH-2.0-OpenSSH_9.2"

// failed returns a State whose login failed at its first address.
func failed(stage sshhost.Stage, cause sshhost.Cause, change func(*State)) State {
	s := State{KeyPath: "/store/id_rsa", User: "docker", Addresses: []access.Address{nat, direct},
		Err: &sshhost.Error{Stage: stage, Cause: cause, Addr: nat.Addr, After: 2 * time.Second, Err: errors.New(string(cause))}}
	if change != nil {
		change(&s)
	}
	return s
}

// generic makes the docker host one that is reached through a network.
func generic(s *State) {
	s.Addresses = []access.Address{direct}
	s.Err.Addr = direct.Addr
}

func TestWhichItIs(t *testing.T) {
	session := func(what string, cause sshhost.Cause) error {
		return &sshhost.Error{Stage: sshhost.StageSession, Cause: cause, What: what, Addr: nat.Addr, Sent: 8416, Received: 2677, After: 3 * time.Second, Err: errors.New("lost")}
	}
	for name, tt := range map[string]struct {
		state State
		want  string // code status
		title string // part of it
	}{
		"nobody_listens_on_the_laptop":  {failed(sshhost.StageDial, sshhost.Refused, nil), "ssh.refused fail", ""},
		"sshd_died":                     {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { s.Direct = access.Probe{Addr: direct.Addr, Refused: true} }), "ssh.refused fail", "not running in the VM"},
		"sshd_died_after_it_answered":   {failed(sshhost.StageBanner, sshhost.Reset, func(s *State) { s.Direct = access.Probe{Addr: direct.Addr, Refused: true}; before(s) }), "ssh.refused fail", ""},
		"sshd_hangs":                    {failed(sshhost.StageBanner, sshhost.Timeout, func(s *State) { s.Direct = access.Probe{Addr: direct.Addr, Connected: true}; before(s) }), "ssh.timeout fail", "it answered 1m30s ago"},
		"everybody_is_dropped":          {failed(sshhost.StageBanner, sshhost.Timeout, func(s *State) { s.Direct = access.Probe{Addr: direct.Addr}; before(s) }), "ssh.timeout fail", ""},
		"silent_under_a_vpn":            {failed(sshhost.StageBanner, sshhost.Timeout, func(s *State) { s.DaemonAnswers = true }), "ssh.timeout fail", ""},
		"banned_by_a_drop":              {failed(sshhost.StageBanner, sshhost.Timeout, elsewhere), "ssh.rate-limited fail", "192.168.99.100:22 answers at once (" + ident + ")"},
		"banned_by_a_reset":             {failed(sshhost.StageBanner, sshhost.Closed, elsewhere), "ssh.rate-limited fail", "after 2s"},
		"nat_itself_is_broken":          {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { elsewhere(s); s.DaemonAnswers = false }), "ssh.closed-before-banner fail", ""},
		"banned_under_a_vpn":            {failed(sshhost.StageBanner, sshhost.Timeout, func(s *State) { before(s); s.DirectDaemon = false }), "ssh.rate-limited fail", "it answered 1m30s ago"},
		"cut_under_a_vpn":               {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { before(s); s.DirectDaemon = false }), "ssh.closed-before-banner fail", "it answered 1m30s ago"},
		"max_startups":                  {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { elsewhere(s); s.Err.Text = "Exceeded MaxStartups\r\n" }), "ssh.closed-before-banner fail", `"Exceeded MaxStartups"`},
		"direct_and_no_answer_to_a_syn": {failed(sshhost.StageDial, sshhost.Timeout, func(s *State) { generic(s); before(s) }), "ssh.rate-limited fail", ""},
		"direct_and_nothing_answers":    {failed(sshhost.StageDial, sshhost.Timeout, func(s *State) { generic(s); before(s); s.DirectDaemon = false }), "ssh.timeout fail", ""},
		"direct_and_closed":             {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { generic(s); before(s) }), "ssh.rate-limited fail", ""},
		"direct_and_closed_as_ever":     {failed(sshhost.StageBanner, sshhost.Closed, generic), "ssh.closed-before-banner fail", ""},
		"direct_and_hanging":            {failed(sshhost.StageBanner, sshhost.Timeout, func(s *State) { generic(s); before(s) }), "ssh.timeout fail", ""},
		"a_web_server":                  {failed(sshhost.StageBanner, sshhost.NotSSH, func(s *State) { s.Err.Text = "HTTP/1.1 400" }), "ssh.not-ssh fail", "HTTP/1.1 400"},
		"ips_cuts":                      {failed(sshhost.StageKeyExchange, sshhost.Reset, nil), "ssh.closed-in-key-exchange fail", "connection reset during key exchange"},
		"ips_drops":                     {failed(sshhost.StageKeyExchange, sshhost.Timeout, nil), "ssh.closed-in-key-exchange fail", "MTU"},
		"nothing_in_common":             {failed(sshhost.StageKeyExchange, sshhost.NoCommonAlgorithm, func(s *State) { s.Err.What, s.Err.Theirs, s.Err.Ours = "cipher", []string{"a"}, []string{"b", "c"} }), "ssh.no-common-algorithm fail", "server offers a; we offer b,c"},
		"another_host_key":              {failed(sshhost.StageHostKey, sshhost.Changed, func(s *State) { s.Err.Known, s.Err.Got = "SHA256:old", "SHA256:new" }), "ssh.host-key-changed fail", "SHA256:old to SHA256:new"},
		"state_that_cannot_be_written":  {failed(sshhost.StageHostKey, sshhost.Declined, nil), "ssh.unknown fail", "declined"},
		"account_locked": {failed(sshhost.StageAuth, sshhost.Rejected, func(s *State) {
			s.Err.Methods, s.Err.Banner, s.Err.User = []string{"publickey"}, "account\nlocked", "docker"
		}), "ssh.auth-failed fail", `it sent "account locked"`},
		"key_is_missing": {failed(sshhost.StageKey, sshhost.BadKey, func(s *State) {
			s.Err.Err = &fs.PathError{Op: "open", Path: s.KeyPath, Err: fs.ErrNotExist}
		}), "ssh.auth-failed fail", "the machine's SSH key /store/id_rsa: file does not exist"},
		"turned_away": {failed(sshhost.StageAuth, sshhost.TurnedAway, func(s *State) {
			s.Err.Banner, s.Err.User = "Your account has expired.", "docker"
		}), "ssh.auth-failed fail", `accepts the key for docker and closes the connection (0 bytes received, after 2s); it sent "Your account has expired."`},
		"no_shell": {State{User: "docker", FactsErr: fmt.Errorf("asking: %w", &host.CmdError{Argv: []string{"sh", "-s"}, Exit: 1, Stdout: "This account is\ncurrently not available.\n"})},
			"ssh.no-commands fail", "runs no commands for it: sh -s: exit status 1: This account is currently not available."},
		"forced_command":                {State{User: "root", FactsErr: &dockerhost.UnexpectedAnswerError{Said: "Please login as the user ubuntu"}}, "ssh.no-commands fail", `answers "Please login as the user ubuntu"`},
		"forced_command_without_a_word": {State{FactsErr: &dockerhost.UnexpectedAnswerError{}}, "ssh.no-commands fail", "answers nothing"},
		"no_sessions":                   {State{FactsErr: session("sh", sshhost.Denied)}, "ssh.no-commands fail", "lost"},
		"answer_that_is_cut_off":        {State{FactsErr: dockerhost.ErrTruncated}, "ssh.unknown unknown", ""},
		"key_is_encrypted":              {failed(sshhost.StageKey, sshhost.BadKey, func(s *State) { s.Err.Err = sshhost.ErrEncrypted }), "ssh.auth-failed fail", "encrypted"},
		"cut_while_logging_in":          {failed(sshhost.StageAuth, sshhost.Closed, nil), "ssh.connection-lost fail", "while logging in"},
		"large_packets_vanish":          {State{FactsErr: session(sshhost.SignOfLife, sshhost.Timeout)}, "ssh.large-packets-lost fail", "8416 bytes sent, 2677 received, after 3s"},
		"small_packets_vanish_too": {State{FactsErr: fmt.Errorf("asking: %w", &access.SilenceError{First: session(sshhost.SignOfLife, sshhost.Timeout).(*sshhost.Error), Small: session("sh", sshhost.Timeout)})},
			"ssh.connection-lost fail", "then with small packets: ssh to 127.0.0.1:50022: sh: no answer"},
		"small_packets_pass":       {State{Facts: &dockerhost.Facts{Root: true}, Login: access.Login{Address: direct, Small: true, Stalled: session("", sshhost.Timeout)}}, "ssh.large-packets-lost warn", "small packets only"},
		"ended_while_asking":       {State{FactsErr: session("asking", sshhost.Closed)}, "ssh.connection-lost fail", ""},
		"docker_host_is_slow":      {State{FactsErr: session("asking", sshhost.Timeout)}, "ssh.unknown unknown", ""},
		"sudo":                     {State{User: "bob", Facts: &dockerhost.Facts{SudoError: "a password is required"}}, "ssh.sudo-refused fail", "logged in as bob, and sudo is refused: a password is required"},
		"old_server":               {State{Facts: &dockerhost.Facts{Root: true}, Weak: []string{"ssh-rsa"}, Greeting: "SSH-2.0-OpenSSH_6.6"}, "ssh.weak-algorithms warn", "OpenSSH_6.6"},
		"skipped_on_a_small_path":  {State{HeldBack: &access.HeldBackError{Address: direct, Recent: 2, Small: true}}, "ssh.large-packets-lost warn", "small packets"},
		"skipped_on_an_old_server": {State{HeldBack: &access.HeldBackError{Address: direct, Recent: 2, Legacy: true}}, "ssh.weak-algorithms warn", "outdated"},
		"banned_and_tried_enough":  {State{HeldBack: &access.HeldBackError{Address: nat, Recent: 2, Wait: 42 * time.Second, Cut: 18 * time.Second}}, "ssh.rate-limited fail", "127.0.0.1:50022 cut us off 18s ago (2 SSH connections in the last minute), and each try may make it last longer; wait 42s"},
	} {
		t.Run(name, func(t *testing.T) {
			f := tt.state.Findings()
			if len(f) != 1 {
				t.Fatalf("%d findings: %v", len(f), f)
			}
			if diff := cmp.Diff(tt.want, f[0].Code+" "+string(f[0].Status)); diff != "" {
				t.Errorf("%s\n%s", diff, f[0].Title)
			}
			if !strings.Contains(f[0].Title, tt.title) || strings.Contains(f[0].Title, "%!") {
				t.Errorf("title %q lacks %q", f[0].Title, tt.title)
			}
		})
	}
}

func before(s *State) {
	s.AnsweredBefore, s.Answered, s.DaemonAnswers, s.DirectDaemon = true, 90*time.Second, true, true
}

func elsewhere(s *State) {
	s.Direct, s.DaemonAnswers, s.DirectDaemon = access.Probe{Addr: direct.Addr, Connected: true, Ident: ident}, true, true
}

func TestSkippedLogin(t *testing.T) {
	for name, tt := range map[string]struct {
		state State
		want  string
	}{
		"login_rule":     {State{HeldBack: &access.HeldBackError{Address: direct, Recent: 2, Wait: 42 * time.Second}}, "2 logins at 192.168.99.100:22 in the last minute"},
		"after_a_repair": {State{NotAsked: true}, "no login was needed"},
		"ban":            {State{HeldBack: &access.HeldBackError{Address: nat, Recent: 2, Cut: time.Second}}, ""},
		"login_works":    {State{Facts: &dockerhost.Facts{Root: true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.state.SkippedBecause()); diff != "" {
				t.Error(diff)
			}
			if skipped := len(tt.state.Findings()) == 0; skipped != (tt.want != "") {
				t.Errorf("findings: %v", tt.state.Findings())
			}
		})
	}
}

func TestKeyThatOthersMayRead(t *testing.T) {
	s := State{NotAsked: true, KeyMode: 0o644, KeyPath: "/my store/id_rsa"}
	want := []engine.Finding{
		{Code: "ssh.key-permissions", Status: engine.Warn, Weight: engine.Aside,
			Title: "/my store/id_rsa is open to others (0644): ssh and docker-machine refuse to use it", Hint: hint.Run("chmod", "600", "/my store/id_rsa")},
	}
	if diff := cmp.Diff(want, s.Findings()); diff != "" {
		t.Error(diff)
	}
}

// A hint solves the problem that it is printed for: a VM is restarted only if it is alive and its
// sshd is not, and a rule is replaced if VirtualBox does not listen for it.
func TestHints(t *testing.T) {
	const restart = "docker-machine restart default"
	const remove, add = "VBoxManage controlvm vm natpf1 delete ssh", "VBoxManage controlvm vm natpf1 'ssh,tcp,127.0.0.1,50023,,22'"
	nic := vbox.VM{Name: "vm", State: vbox.Running, NICs: []vbox.NIC{{Slot: 1, Attachment: "nat"}}}
	hints := func(s *State) {
		s.VM, s.FreePort, s.Rule, s.Restartable = nic, 50023, "ssh", true
		s.VM.Forwards = []vbox.Forward{{Slot: 1, Name: "ssh", Proto: "tcp", HostIP: "127.0.0.1", HostPort: 50022, GuestPort: 22}}
	}
	with := func(more func(*State)) func(*State) { return func(s *State) { hints(s); more(s) } }
	noRule := func(s *State) {
		s.NoRule, s.VM, s.FreePort, s.Addresses, s.Err.Addr = true, nic, 50023, []access.Address{direct}, direct.Addr
	}
	rejected := func(s *State) { s.Err.Methods = []string{"publickey"} }
	page := func(code string) string { return page(code).String() }
	for name, tt := range map[string]struct {
		state State
		want  string // code and hint
	}{
		"virtualbox_does_not_listen":        {failed(sshhost.StageDial, sshhost.Refused, hints), "ssh.refused " + remove + "\n" + add},
		"virtualbox_cannot_be_asked":        {failed(sshhost.StageDial, sshhost.Refused, nil), "ssh.refused " + page("refused")},
		"sshd_does_not_run":                 {failed(sshhost.StageBanner, sshhost.Closed, with(func(s *State) { s.Direct = access.Probe{Addr: direct.Addr, Refused: true} })), "ssh.refused " + restart},
		"docker_machine_could_not_start_it": {failed(sshhost.StageBanner, sshhost.Closed, func(s *State) { s.Direct = access.Probe{Addr: direct.Addr, Refused: true} }), "ssh.refused " + page("refused")},
		"sshd_hangs_and_dockerd_answers":    {failed(sshhost.StageBanner, sshhost.Timeout, with(func(s *State) { s.DaemonAnswers = true })), "ssh.timeout " + restart},
		"the_vm_boots_or_hangs":             {failed(sshhost.StageBanner, sshhost.Timeout, hints), "ssh.timeout " + page("timeout")},
		"no_rule_and_a_vpn_has_the_address": {failed(sshhost.StageDial, sshhost.Timeout, noRule), "ssh.rule-missing " + add},
		"no_rule_and_sshd_has_died":         {failed(sshhost.StageDial, sshhost.Refused, noRule), "ssh.rule-missing " + add},
		"no_port_is_free":                   {failed(sshhost.StageDial, sshhost.Refused, with(func(s *State) { s.FreePort = 0 })), "ssh.refused " + page("refused")},
		"create_has_not_finished":           {State{NoRule: true, CreateUnfinished: true, DockerMachine: true}, "ssh.rule-missing docker-machine rm default && docker-vpn-helper fix --create default"},
		"no_rule_and_no_address":            {State{NoRule: true, OtherErr: errors.New("no way"), VM: nic, FreePort: 50023}, "ssh.rule-missing " + add},
		"nothing_is_known":                  {State{OtherErr: errors.New("no way")}, "ssh.unknown docker-vpn-helper doctor default"},
		"docker_machine_would_go_there_too": {failed(sshhost.StageAuth, sshhost.Rejected, with(func(s *State) { rejected(s); s.ViaDockerMachine = true })), "ssh.auth-failed docker-machine ssh default"},
		"docker_machine_would_go_elsewhere": {failed(sshhost.StageAuth, sshhost.Rejected, rejected), "ssh.auth-failed " + page("auth-failed")},
		"sudo_is_refused":                   {State{Facts: &dockerhost.Facts{}, ViaDockerMachine: true}, "ssh.sudo-refused docker-machine ssh default sudo -n true"},
	} {
		t.Run(name, func(t *testing.T) {
			f := tt.state.Findings()[0]
			if diff := cmp.Diff(tt.want, f.Code+" "+f.Hint.For("", "default").String()); diff != "" {
				t.Errorf("%s\n%s", f.Title, diff)
			}
		})
	}
}
