// Package changes lists all kinds of change, and decodes a change from a journal line.
package changes

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// kinds has, for each kind of change, a function that returns an empty one.
var kinds = []func() engine.Change{
	func() engine.Change { return &vmchange.StartVM{} },
	func() engine.Change { return &vmchange.RestoreRoute{} },
	func() engine.Change { return &vmchange.ConfigureAdapter{} },
	func() engine.Change { return &vmchange.RestartModules{} },
	func() engine.Change { return &vmchange.AddRule{} },
	func() engine.Change { return &vmchange.ChangePorts{} },
	func() engine.Change { return &laptopchange.SwitchService{} },
	func() engine.Change { return &hostchange.StartDaemon{} },
	func() engine.Change { return &hostchange.Reissue{} },
	func() engine.Change { return &hostchange.AddSANs{} },
	func() engine.Change { return &hostchange.WriteRecord{} },
	func() engine.Change { return &laptopchange.SetContext{} },
	func() engine.Change { return &laptopchange.UseContext{} },
	func() engine.Change { return &laptopchange.SystemUnit{} },
	func() engine.Change { return &hostchange.InstallRules{} },
}

// Decode returns the change of a journal line. It refuses a kind or a field that it does not know.
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
