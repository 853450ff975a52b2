package tls

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var (
	served     = &certs.Summary{Names: []string{"localhost"}}
	caOver     = certs.Problem{Kind: certs.CAExpired, Text: "the machine CA expired on 2026-10-16 00:00 UTC"}
	over       = certs.Problem{Kind: certs.Expired, Text: "ended"}
	clientOver = &certs.Problem{Kind: certs.Expired, Text: "the client certificate expired on 2026-10-16"}
	request    = certs.Request{Old: &x509.Certificate{}, Names: []string{"localhost"}}
	host       = &dockerhost.Facts{Root: true, Client: true, Init: "systemd", Hosts: []string{"unix:///var/run/docker.sock"}}
	certsDir   = Shared{Dir: "/store/certs", ClientCert: "/store/certs/cert.pem", ClientKey: "/store/certs/key.pem", MachineDir: "/store/machines/default", ClientEnded: true}
)

func causes(p ...certs.Problem) certs.Verdict { return certs.Verdict{Causes: p} }

func TestFindingsAboutCAAndClient(t *testing.T) {
	newCA := hint.DockerMachine("regenerate-certs", "--client-certs", hint.Machine)
	explain := func(code string) hint.Hint { return hint.Explain("tls." + code) }
	tooOld, kept, renewed := certsDir, certsDir, certsDir
	tooOld.TooOld, kept.ClientEnded, renewed.Client = "0.13.0", false, &certs.Summary{Fingerprint: "new"}
	kept.Machines = []string{"dev"}
	for name, c := range map[string]struct {
		state State
		want  []engine.Finding
	}{
		"CA_ended": {
			State{Verdict: causes(caOver), Reissue: Reissue{Request: request, Refused: &caOver}, Shared: certsDir},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Title: caOver.Text, Hint: newCA}},
		},
		"CA_ended_and_docker-machine_0.13": {
			State{Verdict: causes(caOver), Reissue: Reissue{Request: request, Refused: &caOver}, Shared: tooOld},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Hint: newCA,
				Title: caOver.Text + "; docker-machine 0.13.0 makes no new one, 0.14 or later is needed"}},
		},
		"CA_ended_and_is_another_machine's_too": {
			State{Verdict: causes(caOver), Reissue: Reissue{Request: request, Refused: &caOver}, Shared: kept},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Title: caOver.Text,
				Hint: hint.Run("mv", "/store/certs", "/store/certs.old").Then("&&", newCA).Then(";", hint.DockerMachine("regenerate-certs", "dev"))}},
		},
		"CA_ended_and_there_is_a_new_one": {
			State{Verdict: causes(caOver), Reissue: Reissue{Request: request, Refused: &caOver}, Shared: Shared{NewCA: true}},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Weight: engine.Outranks, Title: caOver.Text,
				Hint: hint.DockerMachine("regenerate-certs", hint.Machine)}},
		},
		"intermediate_CA_ended_and_a_reissue_does_without_it": {
			State{Verdict: causes(caOver), Reissue: Reissue{Request: request}, Facts: host},
			[]engine.Finding{{Code: "tls.ca-expired", Status: engine.Fail, Title: caOver.Text, Hint: hint.Fix()}},
		},
		"CA_begins_later": {
			State{Verdict: causes(certs.Problem{Kind: certs.CANotYetValid, Text: "later"})},
			[]engine.Finding{{Code: "tls.ca-not-yet-valid", Status: engine.Fail, Weight: engine.Outranks, Title: "later", Hint: explain("ca-not-yet-valid")}},
		},
		"certificate_ended_and_the_CA's_key_is_missing": {
			State{Verdict: causes(over), Reissue: Reissue{Request: request, Refused: &certs.Problem{Kind: certs.CAUnusable, Text: "no key"}}},
			[]engine.Finding{
				{Code: "tls.ca-unusable", Status: engine.Fail, Title: "no key", Hint: explain("ca-unusable")},
				{Code: "tls.expired", Status: engine.Fail, Title: "ended", Hint: explain("ca-unusable")},
			},
		},
		"CA_ends_soon": {
			State{Verdict: certs.Verdict{Expiring: []certs.Problem{{Kind: certs.CAExpiresSoon, Text: "soon"}}}},
			[]engine.Finding{{Code: "tls.ca-expires-soon", Status: engine.Warn, Title: "soon", Hint: explain("ca-expires-soon")}},
		},
		"certificate_ended_and_sudo_is_refused": {
			State{Verdict: causes(over), Reissue: Reissue{Request: request}, Facts: &dockerhost.Facts{SudoError: "a password is required"}},
			[]engine.Finding{
				{Code: "tls.reissue-impossible", Status: engine.Fail, Hint: explain("reissue-impossible"),
					Title: "the certificate has to be reissued, and cannot be: sudo is refused on the docker host: a password is required"},
				{Code: "tls.expired", Status: engine.Fail, Title: "ended", Hint: hint.Fix()},
			},
		},
		"certificate_ended_and_SSH_is_closed": {
			State{Verdict: causes(over), Reissue: Reissue{Request: request}, FactsErr: errors.New("no way")},
			[]engine.Finding{
				{Code: "tls.reissue-impossible", Status: engine.Fail, Hint: hint.Own("doctor", hint.Machine),
					Title: "the certificate has to be reissued, and cannot be: the docker host cannot be reached over SSH: no way"},
				{Code: "tls.expired", Status: engine.Fail, Title: "ended", Hint: hint.Fix()},
			},
		},
		"client_certificate_ended": {
			State{ClientProblem: clientOver, ClientRejected: "expired certificate", Shared: Shared{Client: served, ClientProblem: clientOver}},
			[]engine.Finding{{Code: "tls.client-cert-rejected", Status: engine.Fail, Weight: engine.Outranks, Hint: newCA,
				Title: "the client certificate expired on 2026-10-16, and dockerd refuses it: expired certificate"}},
		},
		"client_certificate_ended_and_another_machine's_is_new": {
			State{Client: &certs.Summary{Fingerprint: "old"}, ClientProblem: clientOver, ClientRejected: "expired certificate", Shared: renewed},
			[]engine.Finding{{Code: "tls.client-cert-rejected", Status: engine.Fail, Weight: engine.Outranks,
				Title: "the client certificate expired on 2026-10-16, and dockerd refuses it: expired certificate",
				Hint:  hint.Run("cp", "/store/certs/cert.pem", "/store/certs/key.pem", "/store/machines/default")}},
		},
		"client_certificate_ended_and_dockerd_takes_it": {
			State{ClientProblem: clientOver},
			[]engine.Finding{{Code: "tls.ok", Status: engine.OK, Title: "certificate served: localhost, until 0001-01-01"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.state.Served, c.state.Store = served, served
			if diff := cmp.Diff(c.want, c.state.Findings()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A reissue is planned if it is due and possible.
func TestReissueIsPlanned(t *testing.T) {
	reissue := &hostchange.Reissue{Machine: "default", Names: request.Names, Containers: []string{"web"}, StorePath: "/store/server.pem", Request: request}
	unkept := *reissue
	unkept.NotKept = "it is there twice"
	list := &hostchange.AddSANs{Path: "/store/config.json", Machine: "default", Names: request.Names}
	with := func(change func(*State)) State {
		s := State{Machine: "default", Served: served, Facts: host, Reissue: Reissue{Request: request, Containers: []string{"web"},
			StorePath: "/store/server.pem", ConfigPath: "/store/config.json", Unlisted: request.Names}}
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		state State
		want  []engine.Change
	}{
		"good":                          {with(func(*State) {}), nil},
		"requested":                     {with(func(s *State) { s.Requested = true }), []engine.Change{reissue, list}},
		"expired":                       {with(func(s *State) { s.Verdict = causes(over) }), []engine.Change{reissue, list}},
		"names_are_listed":              {with(func(s *State) { s.Requested, s.Reissue.Unlisted = true, nil }), []engine.Change{reissue}},
		"config.json_cannot_be_edited":  {with(func(s *State) { s.Requested, s.Reissue.NotEditable = true, unkept.NotKept }), []engine.Change{&unkept}},
		"localhost_is_missing":          {with(func(s *State) { s.Missing = []string{"localhost"} }), []engine.Change{reissue, list}},
		"an_address_is_missing":         {with(func(s *State) { s.Missing = []string{"192.168.99.100"} }), nil},
		"key_does_not_match":            {with(func(s *State) { s.KeyMismatch = true }), []engine.Change{reissue, list}},
		"broken_and_still_served":       {with(func(s *State) { s.Broken = "broken" }), nil},
		"broken":                        {with(func(s *State) { s.Broken, s.Served = "broken", nil }), []engine.Change{reissue, list}},
		"another_CA_on_the_docker_host": {with(func(s *State) { s.KeyMismatch, s.ForeignCA = true, true }), nil},
		"the_CA_cannot_sign":            {with(func(s *State) { s.Verdict, s.Reissue.Refused = causes(over), &caOver }), nil},
		"no_certificate_to_follow":      {with(func(s *State) { s.Verdict, s.Reissue.Request = causes(over), certs.Request{} }), nil},
		"SSH_is_closed":                 {with(func(s *State) { s.Verdict, s.Facts, s.FactsErr = causes(over), nil, errors.New("no way") }), nil},
		"nothing_restarts_dockerd":      {with(func(s *State) { s.Verdict, s.Facts = causes(over), &dockerhost.Facts{Root: true, Client: true} }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.state.Changes(), cmpopts.IgnoreUnexported(hostchange.Reissue{}, hostchange.AddSANs{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
