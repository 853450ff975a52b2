package changes

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// Only what is on the docker host needs it to be undone (issue 10, item 5).
func TestChangesThatNeedTheDockerHostToBeUndone(t *testing.T) {
	var got []string
	for _, empty := range kinds {
		c := empty()
		if r, ok := c.(*hostchange.Reissue); ok {
			r.New = []byte("a certificate that was signed")
		}
		if c.About().NeedsDockerHost {
			got = append(got, c.About().Kind)
		}
	}
	if diff := cmp.Diff([]string{"reissue-certificate", "install-rules"}, got); diff != "" {
		t.Error(diff)
	}
	if unsigned := (&hostchange.Reissue{}); unsigned.About().NeedsDockerHost {
		t.Error("a certificate that was never signed is not on the docker host")
	}
}

func TestModuleRestartSurvivesTheJournal(t *testing.T) {
	want := &vmchange.RestartModules{Adapters: []vmchange.HostOnly{{Name: "vboxnet0", Addr: netip.MustParsePrefix("192.168.99.1/24")}}, Again: "again", Steps: [][]string{{"a", "b c"}},
		Saved: []virtualbox.SavedVM{{Name: "a", UUID: "1111", Paused: true}}, Resumed: true}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(want.About().Kind, raw)
	if diff := cmp.Diff(engine.Change(want), got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.IgnoreUnexported(vmchange.RestartModules{})); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// FuzzDecode: a journal line never makes the decoder panic, and what it makes of
// one is written down and read again as the same.
func FuzzDecode(f *testing.F) {
	for _, empty := range kinds {
		kind := empty().About().Kind
		f.Add(kind, []byte(`{}`))
		raw, err := json.Marshal(empty())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kind, raw)
	}
	f.Add("reissue-certificate", []byte(`{"Machine":"default","Names":["localhost","127.0.0.1"],"Containers":["web"],"ID":"a1","HostPath":"/var/lib/boot2docker/server.pem","HostOld":"x","StorePath":"/s","StoreNone":true,"New":"y"}`))
	f.Add("add-sans", []byte(`{"Machine":"default","Path":"/c","Names":["localhost"],"At":3,"Old":"[]","New":-7,"Sum":"00"}`))
	f.Add("add-nat-rule", []byte(`{"VM":"default","UUID":"u","Slot":1,"Port":2376,"Old":{"Slot":1,"Name":"docker-vpn-helper"},"Settled":true}`))
	f.Add("unheard-of", []byte(`{}`))
	f.Add("start-vm", []byte(`null`))
	f.Add("start-vm", []byte(`{} {}`))
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		c, err := Decode(kind, raw)
		if err != nil {
			return
		}
		if c.About().Kind != kind {
			t.Fatalf("%q was read as %q", kind, c.About().Kind)
		}
		_, _ = c.String(), c.About()
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
