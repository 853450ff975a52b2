package guest_test

import (
	"os"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/guest"
)

func TestMain(m *testing.M) {
	if code, ok := guest.Main(); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
