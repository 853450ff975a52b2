package access

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// Seconds after noon of earlier connections, and how long the next one has to wait at 60 s.
func TestHowLongToWait(t *testing.T) {
	for name, tt := range map[string]struct {
		earlier []int
		limit   int
		want    time.Duration
	}{
		"never_before":           {nil, 3, 0},
		"two":                    {[]int{58, 59}, 3, 0},
		"three_in_a_row":         {[]int{57, 58, 59}, 3, 57 * time.Second},
		"one_of_three_is_over":   {[]int{0, 58, 59}, 3, 0},
		"five_because_of_others": {[]int{10, 20, 30, 40, 50}, 3, 30 * time.Second},
		"one_is_kept_back":       {[]int{50, 59}, 2, 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var h history
			for _, s := range tt.earlier {
				h.add(at(s))
			}
			if got := h.wait(at(60), tt.limit); got != tt.want {
				t.Errorf("wait %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClockSetBack(t *testing.T) {
	var h history
	h.add(at(100))
	h.Cut = at(100)
	if diff := cmp.Diff(history{Connections: []connection{{At: at(1)}}}, func() history { h.add(at(1)); return h }(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	h := history{Cut: at(0), Legacy: at(0), Small: at(0)}
	h.add(at(0))
	h.answered(at(0))
	if last, ok := h.lastAnswer(); !ok || !last.Equal(at(0)) {
		t.Errorf("last answer %v %v", last, ok)
	}
	h = parseHistory(h.bytes(), at(0).Add(connectionMemory))
	if diff := cmp.Diff(history{Cut: at(0), Legacy: at(0), Small: at(0)}, h, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	h = parseHistory(h.bytes(), at(0).Add(longMemory))
	if diff := cmp.Diff(history{}, h, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// A docker host that has answered since does not cut us off any more.
func TestCutOff(t *testing.T) {
	type ban struct {
		off  bool
		left time.Duration
	}
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	h := history{Sure: true}
	var got []ban
	look := func(seconds int) { got = append(got, ban{h.cutOff(), h.banned(at(seconds))}) }
	h.Cut = noon
	look(0) // nothing is remembered of when
	h.add(at(0))
	h.Cut = at(2)
	look(10)
	look(70)
	h.add(at(20))
	look(30)
	h.answered(at(20))
	look(30)
	h.Cut = at(25)
	look(30)
	want := []ban{{false, 0}, {true, 50 * time.Second}, {true, 0}, {true, 50 * time.Second}, {false, 0}, {true, 50 * time.Second}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ban{})); diff != "" {
		t.Error(diff)
	}
}

// FuzzHistory: whatever is in the file, nothing in the future counts, at most limit
// fit into a minute, and writing and reading again changes nothing.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`{"connections":[{"at":"2026-01-15T11:59:58Z","answered":true},{"at":"2026-01-15T11:59:59Z"}],"cut":"2026-01-15T11:00:00Z"}`), 3)
	f.Add([]byte(`{"connections":[{"at":"2030-01-01T00:00:00+23:59"}],"small":"9999-12-31T23:59:59Z"}`), 1)
	f.Add([]byte(`null`), 2)
	f.Add([]byte("\x00"), 2)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit = 1 + abs(limit)%8
		h := parseHistory(data, noon)
		for _, c := range h.Connections {
			if c.At.After(noon) {
				t.Fatalf("%v is in the future", c.At)
			}
		}
		if again := parseHistory(h.bytes(), noon); !cmp.Equal(h, again, cmpopts.EquateEmpty()) {
			t.Fatal(cmp.Diff(h, again))
		}
		wait := h.wait(noon, limit)
		if wait < 0 || wait > time.Minute {
			t.Fatalf("wait %v", wait)
		}
		if later := noon.Add(wait); h.recent(later) >= limit {
			t.Fatalf("after %v there are still %d in a minute, limit %d", wait, h.recent(later), limit)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
