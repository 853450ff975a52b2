package logins

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// Seconds after noon of earlier connections, and how long a fourth, third … has to wait at 60 s.
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
			var l Ledger
			for _, s := range tt.earlier {
				l.Add(at(s))
			}
			if got := l.Wait(at(60), tt.limit); got != tt.want {
				t.Errorf("wait %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClockSetBack(t *testing.T) {
	var l Ledger
	l.Add(at(100))
	l.Cut = at(100)
	if diff := cmp.Diff(Ledger{Connections: []Connection{{At: at(1)}}}, func() Ledger { l.Add(at(1)); return l }(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestFineAfterTwoGoodLogins(t *testing.T) {
	var l Ledger
	var got []bool
	for i := range 3 {
		l.Add(at(i))
		l.Answer(at(i), true)
		got = append(got, l.Fine(at(i)))
	}
	got = append(got, l.Fine(at(2).Add(Minute)))
	l.Spoil()
	got = append(got, l.Fine(at(3)))
	if diff := cmp.Diff([]bool{false, true, true, false, false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	l := Ledger{Cut: at(0), Legacy: at(0), Small: at(0)}
	l.Add(at(0))
	l.Answer(at(0), true)
	if last, ok := l.LastAnswer(); !ok || !last.Equal(at(0)) || l.Fine(at(1)) {
		t.Errorf("last answer %v %v", last, ok)
	}
	l = Parse(l.Bytes(), at(0).Add(Memory))
	if diff := cmp.Diff(Ledger{Cut: at(0), Legacy: at(0), Small: at(0)}, l, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	l = Parse(l.Bytes(), at(0).Add(Wariness))
	if diff := cmp.Diff(Ledger{}, l, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// Cut off is who has not been answered since.
func TestCutOff(t *testing.T) {
	type ban struct {
		off  bool
		left time.Duration
	}
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	l := Ledger{Sure: true}
	var got []ban
	look := func(seconds int) { got = append(got, ban{l.CutOff(), l.Banned(at(seconds))}) }
	l.Cut = noon
	look(0) // nothing is remembered of when
	l.Add(at(0))
	l.Cut = at(2)
	look(10)
	look(70)
	l.Add(at(20))
	look(30)
	l.Answer(at(20), true)
	look(30)
	l.Cut = at(25)
	look(30)
	want := []ban{{false, 0}, {true, 50 * time.Second}, {true, 0}, {true, 50 * time.Second}, {false, 0}, {true, 50 * time.Second}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ban{})); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse: whatever is in the file, nothing in the future counts, at most limit
// fit into a minute, and writing and reading again changes nothing.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"connections":[{"at":"2026-01-15T11:59:58Z","answered":true},{"at":"2026-01-15T11:59:59Z"}],"cut":"2026-01-15T11:00:00Z"}`), 3)
	f.Add([]byte(`{"connections":[{"at":"2030-01-01T00:00:00+23:59"}],"small":"9999-12-31T23:59:59Z"}`), 1)
	f.Add([]byte(`null`), 2)
	f.Add([]byte("\x00"), 2)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit = 1 + abs(limit)%8
		l := Parse(data, noon)
		for _, c := range l.Connections {
			if c.At.After(noon) {
				t.Fatalf("%v is in the future", c.At)
			}
		}
		if again := Parse(l.Bytes(), noon); !cmp.Equal(l, again, cmpopts.EquateEmpty()) {
			t.Fatal(cmp.Diff(l, again))
		}
		wait := l.Wait(noon, limit)
		if wait < 0 || wait > Minute {
			t.Fatalf("wait %v", wait)
		}
		if later := noon.Add(wait); l.Recent(later) >= limit {
			t.Fatalf("after %v there are still %d in a minute, limit %d", wait, l.Recent(later), limit)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
