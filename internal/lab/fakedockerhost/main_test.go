package fakedockerhost_test

import (
	"os"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
)

func TestMain(m *testing.M) {
	if code, ok := fakedockerhost.Main(); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
