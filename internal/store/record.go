package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// RecordName is the file name of the endpoint record, which is beside the machine's config.json.
const RecordName = "docker-vpn-helper.json"

const recordSchema = 1

// EndpointRecord is an endpoint that fix has verified to be this machine's. It may be outdated: it
// must only be used after a handshake with the same server.
type EndpointRecord struct {
	Schema    int    `json:"schema"`     // 1
	Port      int    `json:"port"`       // on localhost
	Rule      string `json:"rule"`       // the NAT rule's name
	VMUUID    string `json:"vm_uuid"`    // as VBoxManage writes it
	ServerKey string `json:"server_key"` // SHA-256 of the server's SubjectPublicKeyInfo, 64 hexadecimal digits
}

// NewEndpointRecord returns a record with the current schema.
func NewEndpointRecord(port int, rule, vmUUID, serverKey string) EndpointRecord {
	return EndpointRecord{Schema: recordSchema, Port: port, Rule: rule, VMUUID: vmUUID, ServerKey: serverKey}
}

// Marshal returns the record as JSON. If ParseEndpointRecord would refuse it, it returns an error.
func (r EndpointRecord) Marshal() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("writing endpoint record: %w", err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing endpoint record: %w", err)
	}
	return append(data, '\n'), nil
}

// ParseEndpointRecord parses a record. It refuses a file that is not entirely as we write it.
func ParseEndpointRecord(data []byte) (EndpointRecord, error) {
	var r EndpointRecord
	if len(data) > 4096 {
		return r, errors.New("reading endpoint record: too large")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return EndpointRecord{}, fmt.Errorf("reading endpoint record: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return EndpointRecord{}, errors.New("reading endpoint record: something follows it")
	}
	if err := r.check(); err != nil {
		return EndpointRecord{}, fmt.Errorf("reading endpoint record: %w", err)
	}
	return r, nil
}

func (r EndpointRecord) check() error {
	switch key, err := hex.DecodeString(r.ServerKey); {
	case r.Schema != recordSchema:
		return fmt.Errorf("schema %d, not %d", r.Schema, recordSchema)
	case r.Port < 1 || r.Port > 65535:
		return fmt.Errorf("port %d", r.Port)
	case !oneLine(r.Rule, 255):
		return fmt.Errorf("rule %q", r.Rule)
	case !oneLine(r.VMUUID, 64):
		return fmt.Errorf("VM UUID %q", r.VMUUID)
	case err != nil || len(key) != 32 || r.ServerKey != strings.ToLower(r.ServerKey):
		return fmt.Errorf("server key %q", r.ServerKey)
	}
	return nil
}

func oneLine(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}
