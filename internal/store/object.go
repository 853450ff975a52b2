package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// object is a JSON object by where its parts are in the text.
type object struct {
	body    []byte
	start   int // body[start] is the opening brace
	members []member
}

// member is one key and its value. Offsets are into the whole text.
type member struct {
	key        string
	before     int    // where the blanks before the key begin
	keyStart   int    // the key's opening quote
	gap        string // the blanks between the colon and the value
	start, end int    // the value, without blanks
}

// readObject reads the object that is the value in body[start:end]. The whole
// text must be valid JSON already.
func readObject(body []byte, start, end int) (*object, error) {
	d := json.NewDecoder(bytes.NewReader(body[start:end]))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("no object where one is wanted")
	}
	o := &object{body: body, start: start + int(d.InputOffset()) - 1}
	for {
		m := member{before: start + int(d.InputOffset())} // More skips the blanks
		if !d.More() {
			return o, nil
		}
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		m.key, _ = key.(string)
		keyEnd := start + int(d.InputOffset())
		if len(o.members) > 0 {
			m.before += bytes.IndexByte(body[m.before:keyEnd], ',') + 1
		}
		m.keyStart = m.before + bytes.IndexByte(body[m.before:keyEnd], '"')
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		m.end = start + int(d.InputOffset())
		m.start = m.end - len(value)
		m.gap = string(body[keyEnd+bytes.IndexByte(body[keyEnd:m.start], ':')+1 : m.start])
		o.members = append(o.members, m)
	}
}

// member finds a key as encoding/json does, which takes upper and lower case
// for the same; nil if it is not there. Twice is an error: readers differ.
func (o *object) member(key string) (*member, error) {
	var found *member
	for i, m := range o.members {
		if !strings.EqualFold(m.key, key) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		found = &o.members[i]
	}
	return found, nil
}

// object reads the object under a key.
func (o *object) object(key string) (*object, error) {
	m, err := o.member(key)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, fmt.Errorf("no %s", key)
	}
	inner, err := readObject(o.body, m.start, m.end)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return inner, nil
}

// indent is the line break and blanks before each member, where the members
// have lines of their own; else "".
func (o *object) indent() string {
	if len(o.members) == 0 {
		return ""
	}
	m := o.members[0]
	if blanks := string(o.body[m.before:m.keyStart]); strings.Contains(blanks, "\n") {
		return blanks
	}
	return ""
}
