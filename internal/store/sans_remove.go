package store

import (
	"encoding/json"
	"fmt"
	"slices"
)

// RemoveSANs takes names out of HostOptions.AuthOptions.ServerCertSANs and
// leaves every byte outside that list as it is. A text without them is returned
// as it is.
func RemoveSANs(config []byte, names []string) ([]byte, error) {
	text, err := removeSANs(config, names)
	if err != nil {
		return nil, fmt.Errorf("removing ServerCertSANs: %w", err)
	}
	return text, nil
}

func removeSANs(config []byte, names []string) ([]byte, error) {
	body, err := withoutBOM(config)
	if err != nil {
		return nil, err
	}
	if _, err := parse(config); err != nil {
		return nil, err
	}
	top, err := readObject(body, 0, len(body))
	if err != nil {
		return nil, err
	}
	host, err := top.object("HostOptions")
	if err != nil {
		return nil, err
	}
	options, err := host.object("AuthOptions")
	if err != nil {
		return nil, err
	}
	field, err := options.member("ServerCertSANs")
	if err != nil || field == nil {
		return slices.Clone(config), err
	}
	have, err := stringsIn(body[field.start:field.end])
	if err != nil {
		return nil, err
	}
	keep := slices.DeleteFunc(slices.Clone(have), func(n string) bool { return slices.Contains(names, n) })
	if len(keep) == len(have) {
		return slices.Clone(config), nil
	}
	list, err := json.Marshal(keep)
	if err != nil {
		return nil, err
	}
	bom := len(config) - len(body)
	return slices.Concat(config[:bom+field.start], list, config[bom+field.end:]), nil
}
