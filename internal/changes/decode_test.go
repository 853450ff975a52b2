package changes

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kinds are all that a journal can have.
func kinds() []string {
	return []string{kindStartVM, kindAddRule, kindReissue, kindAddSANs, kindStartDaemon, kindWriteRecord,
		kindRestoreRoute, kindConfigureAdapter, kindRestartModules, kindSetContext, kindUseContext}
}

// Only what is on the docker host needs it to be undone (issue 10, item 5).
func TestChangesThatNeedTheDockerHostToBeUndone(t *testing.T) {
	var got []string
	for _, kind := range kinds() {
		c := blank(kind)
		if r, ok := c.(*Reissue); ok {
			r.New = []byte("a certificate that was signed")
		}
		if c.NeedsDockerHost() {
			got = append(got, kind)
		}
	}
	if diff := cmp.Diff([]string{kindReissue}, got); diff != "" {
		t.Error(diff)
	}
	if unsigned := (&Reissue{}); unsigned.NeedsDockerHost() {
		t.Error("a certificate that was never signed is not on the docker host")
	}
}

// FuzzDecode: a journal line never makes the decoder panic, and what it makes of
// one is written down and read again as the same.
func FuzzDecode(f *testing.F) {
	for _, kind := range kinds() {
		f.Add(kind, []byte(`{}`))
		raw, err := json.Marshal(blank(kind))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, raw)
	}
	f.Add(kindReissue, []byte(`{"Machine":"default","Names":["localhost","127.0.0.1"],"Containers":["web"],"ID":"a1","HostPath":"/var/lib/boot2docker/server.pem","HostOld":"x","StorePath":"/s","StoreNone":true,"New":"y"}`))
	f.Add(kindAddSANs, []byte(`{"Machine":"default","Path":"/c","Names":["localhost"],"At":3,"Old":"[]","New":-7,"Sum":"00"}`))
	f.Add(kindAddRule, []byte(`{"VM":"default","UUID":"u","Slot":1,"Port":2376,"Old":{"Slot":1,"Name":"docker-vpn-helper"},"Settled":true}`))
	f.Add("unheard-of", []byte(`{}`))
	f.Add(kindStartVM, []byte(`null`))
	f.Add(kindStartVM, []byte(`{} {}`))
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		c, err := Decode(kind, raw)
		if err != nil {
			return
		}
		if c.Kind() != kind {
			t.Fatalf("%q was read as %q", kind, c.Kind())
		}
		_, _, _ = c.String(), c.Doing(), c.Risk()
		once, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(kind, once)
		if err != nil {
			t.Fatalf("%s: what was written down is not read: %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s (%v)", once, twice, err)
		}
	})
}
