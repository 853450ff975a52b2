package dockercli_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
)

func TestContextNames(t *testing.T) {
	got := map[string]string{}
	for _, machine := range []string{"default", "dev", "a", "my.machine-2"} {
		got[machine] = dockercli.ContextName(machine)
	}
	want := map[string]string{"default": "machine-default", "dev": "dev", "a": "machine-a", "my.machine-2": "my.machine-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// As docker 28.2.2 prints them.
func TestWhatDockerPrints(t *testing.T) {
	list, err := dockercli.ParseList([]byte(`{"Current":true,"Description":"Current DOCKER_HOST based configuration","DockerEndpoint":"unix:///var/run/docker.sock","Error":"","Name":"default"}
{"Current":false,"Description":"x y","DockerEndpoint":"tcp://localhost:2376","Error":"","Name":"machine-default"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]dockercli.Listed{
		{Name: "default", Endpoint: "unix:///var/run/docker.sock", Current: true}, {Name: "machine-default", Endpoint: "tcp://localhost:2376"},
	}, list); diff != "" {
		t.Error(diff)
	}
	c, err := dockercli.ParseContext([]byte(`[{"Name":"dev","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://localhost:2376","SkipTLSVerify":false}},
"TLSMaterial":{"docker":["ca.pem","cert.pem","key.pem"]},"Storage":{"MetadataPath":"/h/meta/1","TLSPath":"/h/tls/1"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dockercli.Context{Name: "dev", Host: "tcp://localhost:2376", Files: dockercli.TLSFiles(), TLSDir: "/h/tls/1/docker"}, c); diff != "" {
		t.Error(diff)
	}
}

// Whatever the directory is called, docker reads three files in it and one endpoint.
func FuzzEndpointIsFourFields(f *testing.F) {
	for _, dir := range []string{"/home/u/.docker/machine/machines/default", `/a,b "c"/d`, "/with\nnewline", "/a=b", `/"`, "/ü b"} {
		f.Add(dir)
	}
	f.Fuzz(func(t *testing.T, dir string) {
		if strings.ContainsAny(dir, "\x00\r") { // encoding/csv reads \r\n as \n
			return
		}
		args := dockercli.UpdateContextArgs("c", "tcp://localhost:2376", "/"+dir)
		fields, err := csv.NewReader(strings.NewReader(args[len(args)-1])).Read()
		if err != nil || len(fields) != 4 || fields[0] != "host=tcp://localhost:2376" {
			t.Fatalf("%q is read as %q, %v", args, fields, err)
		}
		for i, key := range []string{"ca", "cert", "key"} {
			if path, ok := strings.CutPrefix(fields[i+1], key+"="); !ok || !strings.HasSuffix(path, "/"+key+".pem") {
				t.Errorf("%q", fields)
			}
		}
	})
}

func FuzzListIsNeverHalfRead(f *testing.F) {
	f.Add(`{"Name":"a","DockerEndpoint":"tcp://x","Current":true}`)
	f.Add("{}\n{")
	f.Fuzz(func(t *testing.T, out string) {
		list, err := dockercli.ParseList([]byte(out))
		if err != nil && list != nil || slices.ContainsFunc(list, func(l dockercli.Listed) bool { return l.Name == "" }) {
			t.Errorf("%v, %v", list, err)
		}
		_, _ = dockercli.ParseContext([]byte(out))
	})
}

func FuzzAPIReadsBack(f *testing.F) {
	for _, s := range []string{"1.39", "1.5", "1.50\n", "1.", "1.2.3", "-1.2", "01.2", "<no value>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, ok := dockercli.ParseAPI(s); ok && a.String() != strings.TrimSpace(s) {
			t.Errorf("%q is read as %s", s, a)
		}
	})
}
