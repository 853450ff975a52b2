package store

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRemoveSANs(t *testing.T) {
	for _, c := range []struct{ situation, before, after string }{
		{"ours among others", head + `{"AuthOptions":{"A": 1, "ServerCertSANs": ["a", "localhost","b"] }}}`, head + `{"AuthOptions":{"A": 1, "ServerCertSANs": ["a","b"] }}}`},
		{"ours alone", head + "{\"AuthOptions\":{\"ServerCertSANs\":[\n\"localhost\"\n]}}}", head + `{"AuthOptions":{"ServerCertSANs":[]}}}`},
		{"none of ours", head + `{"AuthOptions":{"ServerCertSANs": [ "a" ]}}}`, head + `{"AuthOptions":{"ServerCertSANs": [ "a" ]}}}`},
		{"null", head + `{"AuthOptions":{"ServerCertSANs":null}}}`, head + `{"AuthOptions":{"ServerCertSANs":null}}}`},
		{"absent", head + `{"AuthOptions":{}}}`, head + `{"AuthOptions":{}}}`},
	} {
		got, err := RemoveSANs([]byte(c.before), []string{"localhost"})
		if diff := cmp.Diff(c.after, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.situation, err, diff)
		}
	}
	for _, text := range []string{"", head + `{"AuthOptions":{"ServerCertSANs":[1]}}}`, head + `{"AuthOptions":{"ServerCertSANs":[],"ServerCertSANs":[]}}}`} {
		if got, err := RemoveSANs([]byte(text), []string{"localhost"}); err == nil || got != nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// FuzzRemoveSANs: what AddSANs added is gone again, and nothing else is.
func FuzzRemoveSANs(f *testing.F) {
	for _, name := range []string{"v2.json", "v3.json", "minikube.json"} {
		f.Add([]byte(fixture(f, name)), "localhost")
	}
	f.Add([]byte(head+`{"AuthOptions":{"ServerCertSANs":[ "x" ,"y"]}}}`), "x")
	f.Fuzz(func(t *testing.T, config []byte, name string) {
		added, err := AddSANs(config, []string{name})
		if err != nil {
			return
		}
		removed, err := RemoveSANs(added, []string{name})
		if err != nil {
			t.Fatalf("%v\n%s", err, added)
		}
		was, had := decoded(t, config)
		is, has := decoded(t, removed)
		had = slices.DeleteFunc(had, func(n string) bool { return n == name })
		if !reflect.DeepEqual(was, is) || !slices.Equal(had, has) {
			t.Fatalf("%q, %q\n%s\n%s", had, has, config, removed)
		}
	})
}
