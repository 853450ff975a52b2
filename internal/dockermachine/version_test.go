package dockermachine

import "testing"

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct {
		version string
		renews  bool
	}{
		"docker-machine version 0.13.0, build 9ba6da9\n":            {"0.13.0", false},
		"docker-machine version 0.14.0, build 89b8332\n":            {"0.14.0", true},
		"docker-machine version 0.16.2, build bd45ab13\n":           {"0.16.2", true},
		"docker-machine version 0.16.2-gitlab.27, build 9edd2d2e\n": {"0.16.2", true},
		"docker-machine version 0.1.0\n":                            {"0.1.0", false},
		"docker-machine version 1.0.0, build x":                     {"1.0.0", true},
		"rancher-machine version v0.15.0-rancher124, build 1\n":     {"0.15.0", true},
	} {
		v, ok := ParseVersion(text)
		if !ok || v.String() != want.version || v.RenewsClientCerts() != want.renews {
			t.Errorf("%q: %s, %t, %t", text, v, v.RenewsClientCerts(), ok)
		}
	}
	for _, text := range []string{"", "docker-machine version HEAD", "Incorrect Usage."} {
		if v, ok := ParseVersion(text); ok {
			t.Errorf("%q: %s", text, v)
		}
	}
}
