// Package changes is the closed set of what a repair may do. Each change can
// back up, apply and revert itself, and survives a trip through a journal.
package changes

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// kinds makes an empty change of each kind.
var kinds = []func() engine.Change{
	func() engine.Change { return &StartVM{} },
	func() engine.Change { return &RestoreRoute{} },
	func() engine.Change { return &ConfigureAdapter{} },
	func() engine.Change { return &RestartModules{} },
	func() engine.Change { return &AddRule{} },
	func() engine.Change { return &ChangePorts{} },
	func() engine.Change { return &SwitchService{} },
	func() engine.Change { return &StartDaemon{} },
	func() engine.Change { return &Reissue{} },
	func() engine.Change { return &AddSANs{} },
	func() engine.Change { return &WriteRecord{} },
	func() engine.Change { return &SetContext{} },
	func() engine.Change { return &UseContext{} },
	func() engine.Change { return &SystemUnit{} },
	func() engine.Change { return &InstallRules{} },
}

// Decode makes a change from a journal line.
func Decode(kind string, raw json.RawMessage) (engine.Change, error) {
	for _, empty := range kinds {
		c := empty()
		if c.About().Kind != kind {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(c); err != nil {
			return nil, fmt.Errorf("change %q: %w", kind, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("change %q is not known to this version", kind)
}
