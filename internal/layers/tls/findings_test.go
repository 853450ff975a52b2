package tls

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

func TestFindingsAboutCAAndClient(t *testing.T) {
	ended := certs.Problem{Kind: certs.CAExpired, Text: "the machine CA expired on 2026-10-16 00:00 UTC"}
	served := &certs.Summary{Names: []string{"localhost"}}
	hints := func(s State) State {
		s.Served, s.Store = served, served
		s.FixHint, s.CertsHint = "fix", "regenerate-certs"
		return s
	}
	for name, c := range map[string]struct {
		state State
		want  []engine.Finding
	}{
		"CA_ended": {
			State{Verdict: certs.Verdict{Causes: []certs.Problem{ended}}, Signing: []certs.Problem{ended}, Due: true, CAHint: "new CA"},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Title: ended.Text, Hint: "new CA"}},
		},
		"CA_ended_and_docker-machine_0.13": {
			State{Verdict: certs.Verdict{Causes: []certs.Problem{ended}}, Signing: []certs.Problem{ended}, Due: true, CAHint: "new CA", RenewNote: "; too old"},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Title: ended.Text + "; too old", Hint: "new CA"}},
		},
		"intermediate_CA_ended_and_a_reissue_does_without_it": {
			State{Verdict: certs.Verdict{Causes: []certs.Problem{ended}}, Due: true, Plan: []engine.Change{nil}},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Title: ended.Text, Hint: "fix"}},
		},
		"CA_begins_later": {
			State{Verdict: certs.Verdict{Causes: []certs.Problem{{Kind: certs.CANotYetValid, Text: "later"}}}, Due: true},
			[]engine.Finding{{Code: "tls.ca-not-yet-valid", Status: engine.Fail, Weight: engine.Outranks, Title: "later", Hint: "docker-vpn-helper explain tls.ca-not-yet-valid"}},
		},
		"certificate_ended_and_the_CA's_key_is_missing": {
			State{Verdict: certs.Verdict{Causes: []certs.Problem{{Kind: certs.Expired, Text: "ended"}}}, Due: true,
				Signing: []certs.Problem{{Kind: certs.CAUnusable, Text: "no key"}}},
			[]engine.Finding{
				{Code: "tls.ca-unusable", Status: engine.Fail, Title: "no key", Hint: "docker-vpn-helper explain tls.ca-unusable"},
				{Code: "tls.expired", Status: engine.Fail, Title: "ended", Hint: "docker-vpn-helper explain tls.ca-unusable"},
			},
		},
		"CA_ends_soon": {
			State{Verdict: certs.Verdict{Expiring: []certs.Problem{{Kind: certs.CAExpiresSoon, Text: "soon"}}}},
			[]engine.Finding{{Code: "tls.ca-expires-soon", Status: engine.Warn, Title: "soon", Hint: "docker-vpn-helper explain tls.ca-expires-soon"}},
		},
		"client_certificate_ended": {
			State{ClientProblem: &certs.Problem{Kind: certs.Expired, Text: "the client certificate expired on 2026-10-16"}, ClientRejected: "expired certificate", ClientHint: "renew"},
			[]engine.Finding{{Code: "tls.client-cert-rejected", Status: engine.Fail, Weight: engine.Outranks, Hint: "renew",
				Title: "the client certificate expired on 2026-10-16, and dockerd refuses it: expired certificate"}},
		},
		"client_certificate_ended_and_dockerd_takes_it": {
			State{ClientProblem: &certs.Problem{Kind: certs.Expired, Text: "the client certificate expired on 2026-10-16"}},
			[]engine.Finding{{Code: "tls.ok", Status: engine.OK, Title: "certificate served: localhost, until 0001-01-01"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, hints(c.state).Findings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
