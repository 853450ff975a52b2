package shell

import "testing"

func TestNoProxyByWholeEntry(t *testing.T) {
	for _, c := range []struct {
		list, host string
		covers     bool
		added      string
	}{
		{"", "localhost", false, "localhost"},
		{"localhost", "localhost", true, "localhost"},
		{"LOCALHOST ,x", "localhost", true, "LOCALHOST ,x"},
		{"192.168.99.100", "192.168.99.10", false, "192.168.99.100,192.168.99.10"}, // docker-machine matched by substring
		{"192.168.99.10", "192.168.99.100", false, "192.168.99.10,192.168.99.100"},
		{"192.168.0.0/16", "192.168.99.100", true, "192.168.0.0/16,192.168.99.100"},
		{"*", "localhost", true, "*"},
		{".local,corp.example,", "a.corp.example", true, ".local,corp.example,a.corp.example"},
		{".local", "local", false, ".local,local"},
		{"notcorp.example", "corp.example", false, "notcorp.example,corp.example"},
		{"localhost:2376", "localhost", false, "localhost:2376,localhost"},
		{"127.0.0.1, ::1", "localhost", false, "127.0.0.1, ::1,localhost"},
	} {
		if got := NoProxyCovers(c.list, c.host); got != c.covers {
			t.Errorf("%q covers %s: %t", c.list, c.host, got)
		}
		if got := AddNoProxy(c.list, c.host); got != c.added {
			t.Errorf("%q with %s: %q, want %q", c.list, c.host, got, c.added)
		}
		if again := AddNoProxy(AddNoProxy(c.list, c.host), c.host); again != AddNoProxy(c.list, c.host) {
			t.Errorf("%q with %s twice: %q", c.list, c.host, again)
		}
	}
}

func TestNoProxyWithoutTheEntry(t *testing.T) {
	for _, c := range []struct{ list, host, want string }{
		{"", "localhost", ""},
		{"localhost", "localhost", ""},
		{"a.example, LOCALHOST,b.example", "localhost", "a.example,b.example"},
		{"localhost.example ,x", "localhost", "localhost.example ,x"},
		{"*", "localhost", "*"},
	} {
		if got := RemoveNoProxy(c.list, c.host); got != c.want {
			t.Errorf("%q without %s: %q, want %q", c.list, c.host, got, c.want)
		}
	}
}

// FuzzAddNoProxy: the host is covered afterwards, what was there still starts
// the value, and adding twice is adding once.
func FuzzAddNoProxy(f *testing.F) {
	f.Add("a,b", "localhost")
	f.Add("*", "127.0.0.1")
	f.Add(" , ,", "x")
	f.Fuzz(func(t *testing.T, list, host string) {
		if host == "" || len(entries(host)) != 1 || entries(host)[0] != host {
			return
		}
		got := AddNoProxy(list, host)
		if !NoProxyCovers(got, host) || AddNoProxy(got, host) != got {
			t.Fatalf("%q with %q: %q", list, host, got)
		}
	})
}
