package dockerhost

import "testing"

func TestLiveRestoreKeepsContainersWithRm(t *testing.T) {
	for version, want := range map[string]bool{
		"": false, "dev": false, "1.13.1": false, "19.03.12": false, "20.10.24+dfsg1": false, "23.0.6": false,
		"24.0.7": false, "24.0.8": true, "25.0.0": true, "25.0.0-rc.1": true, "28.3.2": true,
	} {
		if got := keepsRemoved(version); got != want {
			t.Errorf("keepsRemoved(%q) = %t", version, got)
		}
	}
}
