package ticket

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var alice = Private{Users: []string{"alice", "docker"}, Hosts: []string{"Alices-MacBook.corp.example"}, Home: "/Users/alice"}

func TestWhatIsReplaced(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"home":                    {"/Users/alice/.docker/machine and /Users/alice", "~/.docker/machine and /Users/<user-1>"},
		"another_users_home":      {"/home/bob/x C:\\Users\\Bob\\x", "/home/<user-1>/x C:\\Users\\<user-1>\\x"},
		"user_as_a_word":          {"Alice's alice-dev, alicette", "<user-1>'s <user-1>-dev, alicette"},
		"user_in_other_words":     {"macbook-alice <alice> backup_alice_1 %2FUsers%2Falice%2Fx \\nalice ALICE malice alice2", "macbook-<user-1> <<user-1>> backup_<user-1>_1 %2FUsers%2F<user-1>%2Fx \\n<user-1> <user-1> malice alice2"},
		"twice_in_a_row":          {"alice alice,alice", "<user-1> <user-1>,<user-1>"},
		"user_that_everybody_has": {"docker@10.0.2.15 /home/docker/.ssh", "docker@10.0.2.15 /home/docker/.ssh"},
		"laptop":                  {"on Alices-MacBook.corp.example: Alices-MacBook", "on <laptop-1>: <laptop-2>"},
		"public_address":          {"203.0.113.7 203.0.113.7:443 8.8.8.8", "<public-1> <public-1>:443 <public-2>"},
		"address_ends_a_sentence": {"by 203.0.113.7.", "by <public-1>."},
		"private_addresses":       {"192.168.99.100 10.0.2.15 172.16.1.1 127.0.0.1 169.254.1.1 100.64.0.1 255.255.255.0 0.0.0.0 224.0.0.251", "192.168.99.100 10.0.2.15 172.16.1.1 127.0.0.1 169.254.1.1 100.64.0.1 255.255.255.0 0.0.0.0 224.0.0.251"},
		"networks":                {"203.0.113.0/24 via 8.8.8.8; 128.0.0.0/1 0.0.0.0/1", "<public-1>/24 via <public-2>; 128.0.0.0/1 0.0.0.0/1"},
		"private_networks":        {"192.168.99.1/24 10.11.12.13/32 172.16.0.0/12 \"100.64.1.2/10\" fd00::1/64 192.168.99.100/24.", "192.168.99.1/24 10.11.12.13/32 172.16.0.0/12 \"100.64.1.2/10\" fd00::1/64 192.168.99.100/24."},
		"networks_of_netstat":     {"17.57.144/22 192.168.99 192.168.99/24 10 128.0/1 169.254", "<public-1>/22 192.168.99 192.168.99/24 10 128.0/1 169.254"},
		"one_address_many_notations": {
			"203.0.113.7 ::ffff:203.0.113.7 ::FFFF:203.0.113.7 203.000.113.007 7.113.0.203.in-addr.arpa ec2-203-0-113-7.isp ip203.0.113.7 x_203.0.113.7_y \\n203.0.113.7",
			"<public-1> <public-1> <public-1> <public-1> <public-1> ec2-<public-1>.isp ip<public-1> x_<public-1>_y \\n<public-1>"},
		"one_ipv6_address_many_notations": {
			"2606:4700::1111 2606:4700:0:0:0:0:0:1111 2606:4700::11:11 2606:4700::1111%en0 tcp:2606:4700::1111: 1.1.1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.4.6.0.6.2.ip6.arpa",
			"<public-1> <public-1> <public-2> <public-1>%en0 tcp:<public-1>: <public-1>"},
		"ipv6_upper_case_and_lengths":         {"2606:4700::ABCD/48 2606:4700::abcd", "<public-1>/48 <public-1>"},
		"an_ipv4_address_behind_nat64":        {"64:ff9b::203.0.113.7", "<public-1>"},
		"dates_and_what_looks_like_addresses": {"2026-01-15 192-168-1-2 300.1.2.3 1.2.3 dead::beef std::face 12:34 SHA256:AAAA", "2026-01-15 192-168-1-2 300.1.2.3 1.2.3 dead::beef std::face 12:34 SHA256:AAAA"},
		"classful_networks_of_netstat":        {"203.0.113          10.0.0.1\n130.89             utun0\n19.03.12 (API)\n192.168.99         link#9", "<public-1>          10.0.0.1\n<public-2>             utun0\n19.03.12 (API)\n192.168.99         link#9"},
		"ipv6":                                {"2606:4700::1111 fe80::1%en0 fd00::1 ::1 [2606:4700::1111]:443", "<public-1> fe80::1%en0 fd00::1 ::1 [<public-1>]:443"},
		"versions_and_times":                  {"19.03.12 6.1.26r145957 12:34:56 2026-01-15T12:34:56Z", "19.03.12 6.1.26r145957 12:34:56 2026-01-15T12:34:56Z"},
		"hardware":                            {"3c:22:fb:01:02:03 0a:00:27:00:00:00 8:0:27:1:2:3", "<mac-1> 0a:00:27:00:00:00 8:0:27:1:2:3"},
		"hardware_in_all_notations":           {"3C-22-FB-01-02-03 3c22.fb01.0203 3c:22:fb:1:2:3 \\n3c:22:fb:01:02:03", "<mac-1> <mac-1> <mac-1> \\n<mac-1>"},
		"hardware_among_colons":               {"ether 3c:22:fb:01:02:03: up; lladdr 00:11:22:33:44:55:66:77 fd00:14:0:8d:79:0:b3:b6", "ether <mac-1>: up; lladdr <mac-2> fd00:14:0:8d:79:0:b3:b6"},
		"hardware_in_an_address":              {"fe80::3e22:fbff:fe01:203%en0 fe80::a00:27ff:fe01:203 3c:22:fb:1:2:3", "fe80::<mac-1>%en0 fe80::a00:27ff:fe01:203 <mac-1>"},
		"proxy_with_password":                 {"http://bob:hunter2@proxy:3128 http://proxy:3128", "http://<secret>@proxy:3128 http://proxy:3128"},
		"password_with_at_sign":               {"http://bob:p@ss@proxy:3128", "http://<secret>@proxy:3128"},
		"password_with_slash":                 {"http://bob:p/ss@proxy:3128", "http://<secret>@proxy:3128"},
		"proxy_without_a_scheme":              {"http_proxy=bob:hunter2@proxy:3128 https_proxy=bob:h@nt/er@server:1", "http_proxy=<secret>@proxy:3128 https_proxy=<secret>@server:1"},
		"image_by_its_digest":                 {"busybox:latest@sha256:0123", "busybox:latest@sha256:0123"},
		"secrets_in_json_in_json":             {`"{\"password\": \"x1 y2\", \"n\": 1}"`, `"{\"password\": \"<secret>\", \"n\": 1}"`},
		"secrets_with_longer_names":           {`AWS_SECRET_ACCESS_KEY=abc token_id: 'd e' --password hunter2 --token=x`, `AWS_SECRET_ACCESS_KEY=<secret> token_id: '<secret>' --password <secret> --token=<secret>`},
		"a_secret_that_is_a_switch":           {`{"secret": false, "token": "", "cookie": null}`, `{"secret": false, "token": "", "cookie": null}`},
		"secrets_by_name":                     {`{"password": "x1y2", "client_auth": false} token=abc`, `{"password": "<secret>", "client_auth": false} token=<secret>`},
		"bearer":                              {"Authorization: Bearer abcdefghij", "Authorization: <secret>"},
		"private_key":                         {"a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n<removed>\nb"},
		"private_key_in_json":                 {`"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"`, `"<removed>\n"`},
		"private_key_that_is_cut":             {"a -----BEGIN PRIVATE KEY-----\nMIIE", "a <removed>"},
		"private_key_crlf":                    {"-----BEGIN RSA PRIVATE KEY-----\r\nMIIE\r\n-----END RSA PRIVATE KEY-----\r\nb", "<removed>\ufffd\nb"},
		"private_key_with_headers":            {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE\n-----END RSA PRIVATE KEY-----", "<removed>"},
		"private_key_in_base64":               {"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1J", "<removed>"},
		"private_key_in_a_url":                {"k=-----BEGIN%20PRIVATE%20KEY-----%0AMIIE%0A-----END%20PRIVATE%20KEY-----", "k=<removed>"},
		"what_follows_a_cut_key":              {`{"a": "-----BEGIN PRIVATE KEY-----\nMI", "b": "route"}`, `{"a": "<removed>", "b": "route"}`},
		"escape_sequences":                    {"\x1b]0;owned\x07 \u202egpj.exe\x00", "\ufffd]0;owned\ufffd \ufffdgpj.exe\ufffd"},
		"invalid_utf8":                        {"a\xff\xfeb", "a\ufffdb"},
		"the_methods_of_a_server":             {"(it offers: publickey, password)", "(it offers: publickey, password)"},
		"regexp_characters_in_the":            {"alice.smith+x", "<user-1>.smith+x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := Redact(tt.in, alice)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type observed struct {
	Key string `json:"key"`
}

func (observed) Findings() []engine.Finding { return nil }
func (observed) Changes() []engine.Change   { return nil }

// A laptop is often named after its owner.
func TestLaptopThatIsNamedAfterItsOwner(t *testing.T) {
	p := Private{Users: []string{"alice"}, Hosts: []string{"alice-mbp.corp.example"}, Home: "/home/alice"}
	got, _ := Redact("alice@alice-mbp.corp.example alice-mbp alice-dev /home/alice/x", p)
	if diff := cmp.Diff("<user-1>@<laptop-1> <laptop-2> <user-1>-dev ~/x", got); diff != "" {
		t.Error(diff)
	}
}

// A title is written by others: it must not look like more of the report.
func TestText(t *testing.T) {
	ticket := Ticket{
		Version: "v1", Made: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), Took: 2345 * time.Millisecond,
		Reports: []engine.Report{{Machine: "default", Status: engine.Fail, Endpoint: "tcp://localhost:2376", Cause: "ssh.timeout", Layers: []engine.LayerReport{
			{Layer: "ssh", Status: engine.Fail, Took: 2 * time.Second, Observed: observed{"8.8.4.4 -----BEGIN X-----\nsecret\n-----END X-----"}, Findings: []engine.Finding{
				{Code: "ssh.timeout", Status: engine.Fail, Title: "no answer from 8.8.8.8\n\n== route table ==\nforged", Hint: hint.Run("docker-vpn-helper", "doctor", "alice")}}},
			{Layer: "tls", Status: engine.Blocked, BlockedBy: "ssh", Hidden: []engine.Finding{{Code: "tls.unknown", Status: engine.Unknown, Title: "not asked"}}},
		}}},
		Sections: []Section{{"route table", "default 8.8.8.8\n"}},
	}
	want := `docker-vpn-helper report, version v1, 2026-01-15T12:00:00Z, made in 2.345s

Replaced in this file:
    secrets                  none
    keys and certificates    1, by <removed>
    user names               1, by <user-N>
    names of the laptop      none
    public addresses         2, by <public-N>
    hardware addresses       none
Private addresses and names of machines are as they are. Read it before you send it.

== machine default ==
status fail, endpoint tcp://localhost:2376, cause ssh.timeout

ssh      fail (2s)
    fail ssh.timeout: no answer from <public-1> == route table == forged
        docker-vpn-helper doctor <user-1>
tls      blocked by ssh (0s)
    unknown tls.unknown: not asked (explained by ssh)

== observed on default, ssh ==
{
  "key": "<public-2> <removed>"
}

== route table ==
default <public-1>
`
	if diff := cmp.Diff(want, ticket.Text(alice)); diff != "" {
		t.Error(diff)
	}
}

// FuzzRedact: whatever surrounds them, names, public addresses and keys go, what is
// left is text, and redacting it again finds no name.
func FuzzRedact(f *testing.F) {
	f.Add("", "")
	f.Add("-----BEGIN X-----", "-----END X-----")
	f.Add("http://a:b", "@c 203.0.113.7/24")
	f.Add("\x1b[31m\xff", "::ffff:203.0.113.7")
	f.Add("token=", "alice")
	f.Fuzz(func(t *testing.T, before, after string) {
		out, _ := Redact(before+"\n alice 203.0.113.7 2606:4700::1111 \n"+after, alice)
		if !utf8.ValidString(out) || strings.ContainsFunc(out, func(c rune) bool { return c != '\n' && c != '\t' && unicode.IsControl(c) }) {
			t.Fatalf("not plain text: %q", out)
		}
		for _, word := range strings.Fields(out) {
			if word == "alice" || word == "203.0.113.7" || word == "2606:4700::1111" {
				t.Fatalf("%s is left in %q", word, out)
			}
		}
		if pem().MatchString(out) {
			t.Fatalf("a key is left in %q", out)
		}
		_, again := Redact(out, alice)
		for _, r := range again {
			if r.Count > 0 && r.Mark == "<user-N>" {
				t.Fatalf("%v in %q", r, out)
			}
		}
	})
}
