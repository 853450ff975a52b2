package dockerd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// APIError is an error that dockerd returned.
type APIError struct {
	Path    string
	Status  int
	Message string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("dockerd answers %s with %d: %s", e.Path, e.Status, e.Message)
}

// parsePing returns the API version in an answer to GET /_ping. dockerd itself may return an error,
// for example because of an authorization plugin.
func parsePing(r *http.Response, body []byte) (api string, err error) {
	switch {
	case r.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "OK":
		return r.Header.Get("Api-Version"), nil
	case r.StatusCode != http.StatusOK && fromDocker(r):
		return "", answerError("/_ping", r, body)
	}
	return "", &NotDockerError{Text: "GET /_ping answers " + r.Status, Status: r.StatusCode}
}

// fromDocker reports whether dockerd sent the answer. Only dockerd sends this Server header.
func fromDocker(r *http.Response) bool { return strings.HasPrefix(r.Header.Get("Server"), "Docker/") }

// answerError returns the error in an answer that is not a success: JSON since API 1.24, a line of
// text before.
func answerError(path string, r *http.Response, body []byte) error {
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
