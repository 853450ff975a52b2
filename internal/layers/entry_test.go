package layers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// byHand reduces a store to what docker needs for a docker host that was set up without
// docker-machine: ca.pem, cert.pem and key.pem.
func byHand(t *testing.T, dir, machine string) {
	t.Helper()
	check(t, os.RemoveAll(filepath.Join(dir, "certs")))
	for _, f := range []string{"server.pem", "server-key.pem", "id_rsa", "id_rsa.pub"} {
		check(t, os.RemoveAll(filepath.Join(machine, f)))
	}
}

// unfinished reduces a machine's files to what docker-machine create leaves if it fails in the
// driver.
func unfinished(t *testing.T, dir string) {
	t.Helper()
	merge(t, dir, `{"Driver": {"IPAddress": "", "SSHPort": 0}}`)
	for _, f := range machineCertificates() {
		check(t, os.Remove(filepath.Join(dir, f)))
	}
}

// machineCertificates are the files that docker-machine makes when it installs docker.
func machineCertificates() []string {
	return []string{"ca.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem"}
}

// merge changes a machine's config.json; null in the patch sets null.
func merge(t *testing.T, dir, patch string) {
	t.Helper()
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	check(t, err)
	var config, changes map[string]any
	check(t, json.Unmarshal(text, &config))
	check(t, json.Unmarshal([]byte(patch), &changes))
	mergeInto(config, changes)
	text, err = json.Marshal(config)
	check(t, err)
	check(t, os.WriteFile(file, text, 0o600))
}

func mergeInto(config, changes map[string]any) {
	for key, value := range changes {
		inner, ok := value.(map[string]any)
		if old, both := config[key].(map[string]any); ok && both {
			mergeInto(old, inner)
			continue
		}
		config[key] = value
	}
}
