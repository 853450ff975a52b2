package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// object is a JSON object, with the positions of its members in the text.
type object struct {
	body    []byte
	start   int // body[start] is the opening brace
	members []member
}

// member is one key and its value. Offsets are from the start of the whole text.
type member struct {
	key        string
	before     int    // the offset of the white space before the key
	keyStart   int    // the offset of the key's opening quote
	gap        string // the white space between the colon and the value
	start, end int    // the offsets of the value, without white space
}

// readObject parses the object in body[start:end]. body must be valid JSON.
func readObject(body []byte, start, end int) (*object, error) {
	d := json.NewDecoder(bytes.NewReader(body[start:end]))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("no object where one is wanted")
	}
	o := &object{body: body, start: start + int(d.InputOffset()) - 1}
	for {
		m := member{before: start + int(d.InputOffset())} // before More, which skips white space
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

// member returns the member with a key, ignoring case as encoding/json does; nil if there is none.
// If there are two it returns an error, because programs differ in which one they read.
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

// object returns the object under a key.
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

// indent returns the line break and white space before the first member; "" if it is on the same
// line as the brace.
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
