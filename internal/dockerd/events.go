package dockerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// containerEvents are the messages after which the list of running containers, their
// names or their published ports may be others.
const containerEvents = `{"event":["start","restart","die","stop","destroy","rename","pause","unpause"]}`

// Events subscribes to what happens to containers, and calls each for every message until
// the stream or ctx ends. subscribed is called when dockerd has accepted. Both must return
// at once: a subscriber that stops reading slows dockerd down, and loses messages
// (measured with dockerd 20.10: 100 ms a message). The error is never nil.
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
		return complaint("/events", r, body)
	}
	subscribed()
	messages := json.NewDecoder(r.Body)
	for {
		var m struct{} // which container it is about, the list will show
		if err := messages.Decode(&m); err != nil {
			return fmt.Errorf("reading dockerd's events: %w", explain(ctx, err))
		}
		each()
	}
}
