// Package changes is the closed set of what a repair may do. Each change can
// back up, apply and revert itself, and survives a trip through a journal.
package changes

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// Decode makes a change from a journal line.
func Decode(kind string, raw json.RawMessage) (engine.Change, error) {
	c := blank(kind)
	if c == nil {
		return nil, fmt.Errorf("change %q is not known to this version", kind)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("change %q: %w", kind, err)
	}
	return c, nil
}

func blank(kind string) engine.Change {
	switch kind {
	case kindStartVM:
		return &StartVM{}
	case kindAddRule:
		return &AddRule{}
	case kindReissue:
		return &Reissue{}
	case kindAddSANs:
		return &AddSANs{}
	case kindStartDaemon:
		return &StartDaemon{}
	case kindWriteRecord:
		return &WriteRecord{}
	case kindRestoreRoute:
		return &RestoreRoute{}
	case kindConfigureAdapter:
		return &ConfigureAdapter{}
	case kindRestartModules:
		return &RestartModules{}
	case kindSetContext:
		return &SetContext{}
	case kindUseContext:
		return &UseContext{}
	}
	return nil
}
