package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrNoSANs means that a config.json has ConfigVersion 0 or 1, without ServerCertSANs. It is
// useless to add the field: docker-machine 0.16.2 drops it when it migrates such a file
// (libmachine/host/migrate_v1_v2.go).
var ErrNoSANs = errors.New("a configuration of that age has no ServerCertSANs")

// AddSANs returns the text of a config.json with names added to
// HostOptions.AuthOptions.ServerCertSANs, unless they are already there. All other bytes stay the
// same: order, indentation, numbers, unknown fields. It refuses a text in which the field, or an
// object that leads to it, occurs twice, because programs differ in how they read that.
func AddSANs(config []byte, names []string) ([]byte, error) {
	text, err := addSANs(config, names)
	if err != nil {
		return nil, fmt.Errorf("adding ServerCertSANs: %w", err)
	}
	return text, nil
}

func addSANs(config []byte, names []string) ([]byte, error) {
	l, err := findSANs(config)
	if err != nil {
		return nil, err
	}
	if l.version < 2 {
		return nil, ErrNoSANs
	}
	var missing []string
	for _, n := range names {
		if !utf8.ValidString(n) {
			return nil, fmt.Errorf("%q is no name", n)
		}
		if !slices.Contains(l.have, n) && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return slices.Clone(config), nil
	}
	return l.splice(addition(l.body, l.host, l.options, l.field, len(l.have), missing)), nil
}

// RemoveSANs returns the text of a config.json without names in
// HostOptions.AuthOptions.ServerCertSANs. All bytes outside that list stay the same; so does a text
// without these names.
func RemoveSANs(config []byte, names []string) ([]byte, error) {
	l, err := findSANs(config)
	if err != nil {
		return nil, fmt.Errorf("removing ServerCertSANs: %w", err)
	}
	keep := slices.DeleteFunc(slices.Clone(l.have), func(n string) bool { return slices.Contains(names, n) })
	if len(keep) == len(l.have) {
		return slices.Clone(config), nil
	}
	return l.splice(l.field.start, l.field.end, "["+join(keep, ",")+"]"), nil
}

// sans is the list of names in a config.json and the objects that contain it, with their positions
// in body.
type sans struct {
	config, body  []byte // body is without the byte order mark
	version       int
	host, options *object
	field         *member // nil if there is no such field
	have          []string
}

// findSANs finds the list in the text of a config.json.
func findSANs(config []byte) (l sans, err error) {
	l.config = config
	if l.body, err = withoutBOM(config); err != nil {
		return l, err
	}
	if _, err := parse(config); err != nil { // libmachine would refuse it
		return l, err
	}
	top, err := readObject(l.body, 0, len(l.body))
	if err != nil {
		return l, err
	}
	if m, err := top.member("ConfigVersion"); err != nil {
		return l, err
	} else if m != nil {
		if err := json.Unmarshal(l.body[m.start:m.end], &l.version); err != nil {
			return l, err
		}
	}
	if l.version < 2 {
		return l, nil // older layouts have neither the field nor the way to it
	}
	if l.host, err = top.object("HostOptions"); err != nil {
		return l, err
	}
	if l.options, err = l.host.object("AuthOptions"); err != nil {
		return l, err
	}
	if l.field, err = l.options.member("ServerCertSANs"); err != nil || l.field == nil {
		return l, err
	}
	l.have, err = stringsIn(l.body[l.field.start:l.field.end])
	return l, err
}

// splice returns config with body[at:until] replaced by text.
func (l sans) splice(at, until int, text string) []byte {
	bom := len(l.config) - len(l.body)
	return slices.Concat(l.config[:bom+at], []byte(text), l.config[bom+until:])
}

// addition returns the bytes of body to replace, and the text that adds the missing names.
func addition(body []byte, host, options *object, field *member, have int, missing []string) (at, until int, text string) {
	outer := options.indent() // the indentation of AuthOptions' members; "" if they are on one line
	list := func() string {
		if outer == "" {
			gap := ""
			if len(options.members) > 0 && options.members[0].gap != "" {
				gap = " "
			}
			return "[" + join(missing, ","+gap) + "]"
		}
		step, deeper := strings.CutPrefix(outer, host.indent())
		if !deeper || step == "" || strings.Contains(step, "\n") {
			step = "    " // docker-machine's own (libmachine/persist/filestore.go)
		}
		inner := outer + step
		return "[" + inner + join(missing, ","+inner) + outer + "]"
	}
	switch {
	case field == nil && len(options.members) == 0:
		return options.start + 1, options.start + 1, `"ServerCertSANs": ` + list()
	case field == nil:
		last := options.members[len(options.members)-1]
		before := outer
		if before == "" && len(options.members) > 1 {
			before = string(body[options.members[1].before:options.members[1].keyStart])
		}
		return last.end, last.end, "," + before + `"ServerCertSANs":` + last.gap + list()
	case have == 0:
		return field.start, field.end, list()
	}
	// Add them after the last element, with the same separator as between the existing ones.
	value := body[field.start:field.end]
	end := field.start + len(bytes.TrimRight(value[:len(value)-1], " \t\r\n"))
	lead := value[1 : len(value)-len(bytes.TrimLeft(value[1:], " \t\r\n"))]
	between := string(lead)
	if !bytes.ContainsRune(lead, '\n') {
		between = field.gap
		if second := secondElement(value); second != "" {
			between = second[1:]
		}
	}
	return end, end, "," + between + join(missing, ","+between)
}

// secondElement returns the comma and white space between the first two elements of an array of
// strings; "" if it has only one.
func secondElement(array []byte) string {
	d := json.NewDecoder(bytes.NewReader(array))
	for range 2 {
		if _, err := d.Token(); err != nil {
			return ""
		}
	}
	rest := array[d.InputOffset():]
	comma := bytes.IndexByte(rest, ',')
	quote := bytes.IndexByte(rest, '"')
	if comma < 0 || quote < comma {
		return ""
	}
	return string(rest[comma:quote])
}

// join returns the names as JSON strings with a separator.
func join(names []string, sep string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		text, err := json.Marshal(n)
		if err != nil {
			panic(err) // a string always encodes
		}
		quoted[i] = string(text)
	}
	return strings.Join(quoted, sep)
}

// stringsIn parses the list: an array of strings, or null.
func stringsIn(value []byte) ([]string, error) {
	var elements []*string
	if err := json.Unmarshal(value, &elements); err != nil {
		return nil, fmt.Errorf("it is no list of names: %w", err)
	}
	var names []string
	for _, e := range elements {
		if e == nil {
			return nil, errors.New("it is no list of names: null in it")
		}
		names = append(names, *e)
	}
	return names, nil
}
