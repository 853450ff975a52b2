package shell

import "testing"

func TestSystemd(t *testing.T) {
	for want, argv := range map[string][]string{
		"/bin/x -a b":                        {"/bin/x", "-a", "b"},
		`/bin/x "a b" "" 100%% $$HOME`:       {"/bin/x", "a b", "", "100%", "$HOME"},
		`/bin/x "\"q\"" "it's" "a\\b" "a;b"`: {"/bin/x", `"q"`, "it's", `a\b`, "a;b"},
	} {
		if got := Systemd(argv...); got != want {
			t.Errorf("%q: got %s, want %s", argv, got, want)
		}
	}
}
