package world

import (
	"context"
	"errors"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

func TestRollbackLogsInAgainAfterALoginThatFailed(t *testing.T) {
	w := &World{}
	_, _ = w.ssh.Get(t.Context(), func() (*sshhost.Client, error) { return nil, errors.New("refused, for that moment") })
	w.CheckSSH(t.Context())
	tried := false
	_, _ = w.ssh.Get(t.Context(), func() (*sshhost.Client, error) { tried = true; return nil, context.Canceled })
	if !tried {
		t.Error("the failed login is remembered: the rollback never tries one")
	}
}
