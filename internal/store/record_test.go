package store

import (
	"strings"
	"testing"
)

const key = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

func TestRecordOnDisk(t *testing.T) {
	r := NewEndpointRecord(2376, "docker-vpn-helper", "0a1b2c3d-0000-4000-8000-000000000000", key)
	text, err := r.Marshal()
	want := "{\n  \"schema\": 1,\n  \"port\": 2376,\n  \"rule\": \"docker-vpn-helper\",\n  \"vm_uuid\": \"0a1b2c3d-0000-4000-8000-000000000000\",\n  \"server_key\": \"" + key + "\"\n}\n"
	if err != nil || string(text) != want {
		t.Errorf("%v\n got %s\nwant %s", err, text, want)
	}
	if got, err := ParseEndpointRecord(text); got != r || err != nil {
		t.Errorf("parsed: %+v, %v", got, err)
	}
	m := Machine{Dir: "/s/machines/default"}
	if m.RecordPath() != "/s/machines/default/docker-vpn-helper.json" || m.ConfigPath() != "/s/machines/default/config.json" {
		t.Errorf("paths: %s, %s", m.RecordPath(), m.ConfigPath())
	}
}

func TestRecordsThatAreNotBelieved(t *testing.T) {
	good := `{"schema":1,"port":2376,"rule":"r","vm_uuid":"u","server_key":"` + key + `"}`
	if _, err := ParseEndpointRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for situation, text := range map[string]string{
		"empty": "", "null": "null", "truncated": good[:30], "two": good + good, "a list": "[]",
		"another schema": strings.Replace(good, ":1,", ":2,", 1), "port 0": strings.Replace(good, "2376", "0", 1), "port 65536": strings.Replace(good, "2376", "65536", 1),
		"no rule": strings.Replace(good, `"r"`, `""`, 1), "rule of two lines": strings.Replace(good, `"r"`, `"r\n"`, 1), "no UUID": strings.Replace(good, `"u"`, `""`, 1),
		"short key": strings.Replace(good, "0f0f", "", 1), "upper case key": strings.ReplaceAll(good, "0f", "0F"), "no key": strings.Replace(good, key, "zz", 1),
		"unknown field": strings.Replace(good, "{", `{"x":1,`, 1), "huge": strings.Repeat(" ", 5000) + good,
	} {
		if r, err := ParseEndpointRecord([]byte(text)); err == nil || r != (EndpointRecord{}) {
			t.Errorf("%s: %+v, %v", situation, r, err)
		}
	}
	if text, err := (EndpointRecord{}).Marshal(); err == nil || text != nil {
		t.Errorf("an empty record was written: %s", text)
	}
}

// FuzzParseEndpointRecord: what is believed is written and read as itself.
func FuzzParseEndpointRecord(f *testing.F) {
	f.Add([]byte(`{"schema":1,"port":2376,"rule":"docker-vpn-helper","vm_uuid":"u","server_key":"` + key + `"}`))
	f.Add([]byte(`{"schema":1,"port":2376,"rule":"\u00e9<>","vm_uuid":"u","server_key":"` + key + `"} `))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseEndpointRecord(text)
		if err != nil {
			return
		}
		again, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseEndpointRecord(again); got != r || err != nil {
			t.Fatalf("%+v, %+v, %v", r, got, err)
		}
	})
}

// FuzzParseConfig: no panic; what loads names a driver and has sane numbers.
func FuzzParseConfig(f *testing.F) {
	for _, name := range []string{"v0.json", "v1.json", "v2.json", "v3.json", "minikube.json"} {
		f.Add([]byte(fixture(f, name)))
	}
	f.Add([]byte(`{"ConfigVersion":1e99,"DriverName":"x","Driver":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parse(text)
		if err != nil {
			return
		}
		if m.Driver == "" || m.SSHUser == "" || m.SSHPort < 0 || m.SSHPort > 65535 || m.EnginePort < 1 || m.EnginePort > 65535 || m.ConfigVersion < 0 || m.ConfigVersion > newestVersion {
			t.Fatalf("%+v", m)
		}
	})
}
