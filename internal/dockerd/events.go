package dockerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// containerEvents is the filter for the events that may change the list of running containers,
// their names or their published ports.
const containerEvents = `{"event":["start","restart","die","stop","destroy","rename","pause","unpause"]}`

// Events subscribes to the events of containers. It calls subscribed when dockerd has accepted, and
// each for every event, until the stream or ctx ends. Both must return at once: a subscriber that
// stops reading slows dockerd down and loses events (measured with dockerd 20.10: 100 ms per
// event). The error is never nil.
func (c *Client) Events(ctx context.Context, subscribed, each func()) error {
	prefix, err := c.negotiate(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+prefix+"/events?filters="+url.QueryEscape(containerEvents), nil)
	if err != nil {
		return err
	}
	r, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking dockerd for its events: %w", explain(ctx, err))
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
		return answerError("/events", r, body)
	}
	subscribed()
	messages := json.NewDecoder(r.Body)
	for {
		var m struct{} // ignore what happened: callers list the containers again
		if err := messages.Decode(&m); err != nil {
			return fmt.Errorf("reading dockerd's events: %w", explain(ctx, err))
		}
		each()
	}
}
