package dockerd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// APIError is a complaint of the daemon's.
type APIError struct {
	Path    string
	Status  int
	Message string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("dockerd answers %s with %d: %s", e.Path, e.Status, e.Message)
}

// pinged reads an answer to GET /_ping. dockerd itself may refuse, where a plugin
// authorizes or something in it is broken.
func pinged(r *http.Response, body []byte) (api string, err error) {
	switch {
	case r.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "OK":
		return r.Header.Get("Api-Version"), nil
	case r.StatusCode != http.StatusOK && fromDocker(r):
		return "", complaint("/_ping", r, body)
	}
	return "", &NotDockerError{Text: "GET /_ping answers " + r.Status, Status: r.StatusCode}
}

// fromDocker reports whether dockerd has answered: only it names itself so.
func fromDocker(r *http.Response) bool { return strings.HasPrefix(r.Header.Get("Server"), "Docker/") }

// complaint is an answer that is not a success: in JSON from API 1.24 on, before
// that a line of text.
func complaint(path string, r *http.Response, body []byte) error {
	var m struct{ Message string }
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		return &APIError{Path: path, Status: r.StatusCode, Message: m.Message}
	}
	if fromDocker(r) {
		text := strings.Join(strings.Fields(string(body)), " ")
		return &APIError{Path: path, Status: r.StatusCode, Message: text[:min(len(text), 300)]}
	}
	return &NotDockerError{Text: fmt.Sprintf("GET %s answers %s", path, r.Status)}
}
