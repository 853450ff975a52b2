package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const head = `{"ConfigVersion":3,"DriverName":"virtualbox","Driver":{},"HostOptions":`

func TestAddSANs(t *testing.T) {
	both := []string{"localhost", "127.0.0.1"}
	for _, c := range []struct{ situation, before, after string }{
		{"compact, empty", head + `{"AuthOptions":{"A":1,"ServerCertSANs":[],"B":2}}}`, head + `{"AuthOptions":{"A":1,"ServerCertSANs":["localhost","127.0.0.1"],"B":2}}}`},
		{"compact, null", head + `{"AuthOptions":{"ServerCertSANs":null}}}`, head + `{"AuthOptions":{"ServerCertSANs":["localhost","127.0.0.1"]}}}`},
		{"compact, absent", head + `{"AuthOptions":{"A":1}}}`, head + `{"AuthOptions":{"A":1,"ServerCertSANs":["localhost","127.0.0.1"]}}}`},
		{"no options at all", head + `{"AuthOptions":{}}}`, head + `{"AuthOptions":{"ServerCertSANs": ["localhost","127.0.0.1"]}}}`},
		{"one line with blanks, absent", head + `{"AuthOptions": { "A": 1, "B": {} } }}`, head + `{"AuthOptions": { "A": 1, "B": {}, "ServerCertSANs": ["localhost", "127.0.0.1"] } }}`},
		{"one there already", head + `{"AuthOptions":{"ServerCertSANs":["localhost"]}}}`, head + `{"AuthOptions":{"ServerCertSANs":["localhost","127.0.0.1"]}}}`},
		{"others there, set apart", head + `{"AuthOptions":{"ServerCertSANs" : [ "x,\"y" , "z" ]}}}`, head + `{"AuthOptions":{"ServerCertSANs" : [ "x,\"y" , "z", "localhost", "127.0.0.1" ]}}}`},
		{"all there", head + `{"AuthOptions":{"ServerCertSANs":["127.0.0.1","a","localhost"]}}}`, head + `{"AuthOptions":{"ServerCertSANs":["127.0.0.1","a","localhost"]}}}`},
		{"upper and lower case, as encoding/json takes them", head + `{"authoptions":{"servercertsans":["a"]}}}`, head + `{"authoptions":{"servercertsans":["a","localhost","127.0.0.1"]}}}`},
		{
			"lines, tabs, CRLF, absent", head + "{\r\n\t\"AuthOptions\":\t{\r\n\t\t\"A\":\t1e3\r\n\t}\r\n}}",
			head + "{\r\n\t\"AuthOptions\":\t{\r\n\t\t\"A\":\t1e3,\r\n\t\t\"ServerCertSANs\":\t[\r\n\t\t\t\"localhost\",\r\n\t\t\t\"127.0.0.1\"\r\n\t\t]\r\n\t}\r\n}}",
		},
		{
			"lines, others there", head + "{\"AuthOptions\":{\n  \"ServerCertSANs\": [\n    \"a\",\n    \"b\"\n  ]\n}}}",
			head + "{\"AuthOptions\":{\n  \"ServerCertSANs\": [\n    \"a\",\n    \"b\",\n    \"localhost\",\n    \"127.0.0.1\"\n  ]\n}}}",
		},
		{
			"lines inside of one line", head + "{\"AuthOptions\":{\n  \"A\": 1\n}}}",
			head + "{\"AuthOptions\":{\n  \"A\": 1,\n  \"ServerCertSANs\": [\n      \"localhost\",\n      \"127.0.0.1\"\n  ]\n}}}",
		},
		{"byte order mark", "\xef\xbb\xbf" + head + `{"AuthOptions":{"A":1}}}`, "\xef\xbb\xbf" + head + `{"AuthOptions":{"A":1,"ServerCertSANs":["localhost","127.0.0.1"]}}}`},
		{"the same names elsewhere", head + `{"ServerCertSANs":7,"AuthOptions":{"X":{"ServerCertSANs":1}},"Z":0}}`, head + `{"ServerCertSANs":7,"AuthOptions":{"X":{"ServerCertSANs":1},"ServerCertSANs":["localhost","127.0.0.1"]},"Z":0}}`},
	} {
		got, err := AddSANs([]byte(c.before), both)
		if diff := cmp.Diff(c.after, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.situation, err, diff)
		}
	}
}

func TestAddSANsAsDockerMachineWritesThem(t *testing.T) {
	before := fixture(t, "v3.json")
	got, err := AddSANs([]byte(before), []string{"localhost", "127.0.0.1"})
	want := strings.Replace(before, `"ServerCertSANs": []`, "\"ServerCertSANs\": [\n                \"localhost\",\n                \"127.0.0.1\"\n            ]", 1)
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestAddSANsRefuses(t *testing.T) {
	for situation, text := range map[string]string{
		"the field twice":             head + `{"AuthOptions":{"ServerCertSANs":[],"ServerCertSANs":[]}}}`,
		"twice but for case":          head + `{"AuthOptions":{"ServerCertSANs":[],"serverCertSans":[]}}}`,
		"twice, once with an escape":  head + `{"AuthOptions":{"ServerCertSANs":[],"\u0053erverCertSANs":[]}}}`,
		"AuthOptions twice":           head + `{"AuthOptions":{},"AuthOptions":{}}}`,
		"HostOptions twice":           head + `{"AuthOptions":{}},"HostOptions":{"AuthOptions":{}}}`,
		"no AuthOptions":              head + `{}}`,
		"AuthOptions is null":         head + `{"AuthOptions":null}}`,
		"HostOptions is null":         head + `null}`,
		"a list of numbers":           head + `{"AuthOptions":{"ServerCertSANs":[1]}}}`,
		"a list with null":            head + `{"AuthOptions":{"ServerCertSANs":["a",null]}}}`,
		"text for a list":             head + `{"AuthOptions":{"ServerCertSANs":"a"}}}`,
		"truncated":                   head + `{"AuthOptions":{`,
		"something behind":            head + `{"AuthOptions":{}}} {}`,
		"a newer version":             `{"ConfigVersion":4,"DriverName":"x","Driver":{},"HostOptions":{"AuthOptions":{}}}`,
		"version twice":               `{"ConfigVersion":3,"ConfigVersion":3,"DriverName":"x","Driver":{},"HostOptions":{"AuthOptions":{}}}`,
		"no machine's configuration":  `{"auths":{}}`,
		"layout 1 has no such field":  fixture(t, "v1.json"),
		"layout 0 has no such field":  fixture(t, "v0.json"),
		"UTF-16, to be left in peace": "\xff\xfe{\x00",
	} {
		if got, err := AddSANs([]byte(text), []string{"localhost"}); err == nil || got != nil || errors.Is(err, ErrNoSANs) != strings.HasPrefix(situation, "layout") {
			t.Errorf("%s: %v\n%s", situation, err, got)
		}
	}
}

// checkEdit holds AddSANs to its word.
func checkEdit(t *testing.T, before []byte, names []string) {
	t.Helper()
	after, err := AddSANs(before, names)
	if err != nil {
		return
	}
	again, err := AddSANs(after, names)
	if err != nil || !bytes.Equal(again, after) {
		t.Fatalf("a second time: %v\n%s\n%s", err, after, again)
	}
	was, oldSANs := decoded(t, before)
	is, newSANs := decoded(t, after)
	if !reflect.DeepEqual(was, is) {
		t.Fatalf("another field changed:\n%s\n%s", before, after)
	}
	if len(newSANs) < len(oldSANs) || !slices.Equal(newSANs[:len(oldSANs)], oldSANs) {
		t.Fatalf("names lost: %q, %q", oldSANs, newSANs)
	}
	for _, n := range names {
		if text, _ := json.Marshal(n); !slices.Contains(newSANs, plainString(text)) {
			t.Fatalf("%q is not in %q", n, newSANs)
		}
	}
	// One stretch of bytes differs, and what is gone of the old text was [] or null.
	i := 0
	for i < min(len(before), len(after)) && before[i] == after[i] {
		i++
	}
	j := 0
	for j < min(len(before), len(after))-i && before[len(before)-1-j] == after[len(after)-1-j] {
		j++
	}
	if gone := strings.TrimSpace(strings.Trim(string(before[i:len(before)-j]), "[] \t\r\n")); gone != "" && gone != "null" {
		t.Fatalf("bytes gone: %q\n%s\n%s", gone, before, after)
	}
}

func plainString(text []byte) (s string) {
	_ = json.Unmarshal(text, &s)
	return s
}

// decoded takes the field out of a configuration.
func decoded(t *testing.T, text []byte) (rest any, sans []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	if err := d.Decode(&rest); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	fold := func(v any, key string) (map[string]any, string) {
		m, _ := v.(map[string]any)
		for k := range m {
			if strings.EqualFold(k, key) {
				return m, k
			}
		}
		return m, key
	}
	top, key := fold(rest, "HostOptions")
	options, key2 := fold(top[key], "AuthOptions")
	auth, key3 := fold(options[key2], "ServerCertSANs")
	list, _ := auth[key3].([]any)
	for _, e := range list {
		s, _ := e.(string)
		sans = append(sans, s)
	}
	delete(auth, key3)
	return rest, sans
}

func FuzzAddSANs(f *testing.F) {
	for _, name := range []string{"v0.json", "v1.json", "v2.json", "v3.json", "minikube.json"} {
		f.Add([]byte(fixture(f, name)), "localhost", "127.0.0.1")
	}
	f.Add([]byte(head+`{"AuthOptions":{"A" : 1 ,"ServerCertSANs" :[ "x" ,"y"] , "B":{}}}}`), "a\"b", "\u2028")
	f.Add([]byte(head+"{\"AuthOptions\":\n{ }}}"), "é", "\xff")
	f.Add([]byte(head+`{"AuthOptions":{"\u0053erverCertSANs":[ ]}}}`), "", "x")
	f.Fuzz(func(t *testing.T, config []byte, one, two string) {
		checkEdit(t, config, []string{one, two})
	})
}
