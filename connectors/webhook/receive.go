package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Receive reads one delivery: an event, or a batch of CloudEvents, of which all are good or none is taken. Only POST
// carries events.
func (s *source) Receive(ctx context.Context, r connectors.Request) (connectors.Received, error) {
	switch {
	case r.Method == http.MethodOptions && s.format == cloudEvents:
		return answer(s.handshake(r.Header)), nil
	case r.Method != http.MethodPost && r.Method != "":
		return answer(connectors.Response{Status: http.StatusMethodNotAllowed, Header: allowPost()}), nil
	}
	messages, err := s.messages(r)
	if err != nil {
		return connectors.Received{}, err
	}
	header, err := s.readable(r.Header)
	if err != nil {
		return connectors.Received{}, err
	}
	var got connectors.Received
	for i, m := range messages {
		e, err := s.event(ctx, m, header)
		if err != nil && len(messages) > 1 {
			err = ofBatch(err, i, len(messages))
		}
		if err != nil {
			return connectors.Received{}, err
		}
		got.Events = append(got.Events, e)
	}
	return got, nil
}

func answer(r connectors.Response) connectors.Received {
	return connectors.Received{Reply: func(connectors.CaseState) connectors.Response { return r }}
}

func allowPost() http.Header { return http.Header{"Allow": {http.MethodPost}} }

// ofBatch says which event of a batch is at fault.
func ofBatch(err error, i, n int) error {
	if m, ok := err.(*connectors.Malformed); ok {
		return malformed("event %d of %d: %s", i+1, n, m.Reason)
	}
	return err
}

func (s *source) messages(r connectors.Request) ([]message, error) {
	if s.format == cloudEvents {
		return s.cloudEvents(r)
	}
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	body, err := object(r.Body)
	if err != nil {
		return nil, err
	}
	m := message{body: body}
	if s.format == standardWebhooks {
		// The same on every try, and part of what is signed.
		if m.dedupe, err = one(r.Header, webhookID); err != nil {
			return nil, err
		}
		if m.dedupe == "" {
			return nil, malformed("header %s is missing", webhookID)
		}
		if _, err = plainID("header "+webhookID, m.dedupe, eventBytes); err != nil {
			return nil, err
		}
	}
	return []message{m}, nil
}

const webhookID = "Webhook-Id"

// checkType refuses what is surely no JSON. Many senders name no type, or a wrong one.
func checkType(header string) error {
	kind, _, _ := strings.Cut(strings.ToLower(header), ";")
	kind = strings.TrimSpace(kind)
	if kind == "" || kind == "text/plain" || kind == "application/octet-stream" || isJSON(kind) {
		return nil
	}
	return &connectors.WrongType{Advice: "the body has to be a JSON object; set the webhook's content type to application/json"}
}

// isJSON tells whether a media type, without its parameters and in small letters, is JSON.
func isJSON(kind string) bool {
	return strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
}

// readable returns the headers that settings.headers lets expressions read.
func (s *source) readable(h http.Header) (map[string]any, error) {
	found := make(map[string]any, len(s.config.Headers))
	for _, name := range s.config.Headers {
		text, err := one(h, name)
		if err != nil {
			return nil, err
		}
		if text != "" {
			found[strings.ToLower(name)] = text
		}
	}
	return found, nil
}

// one returns a header's value. Two of them are refused as a key that stands twice is.
func one(h http.Header, name string) (string, error) {
	all := h.Values(name)
	switch len(all) {
	case 0:
		return "", nil
	case 1:
		return all[0], nil
	default:
		return "", malformed("header %s is there more than once", http.CanonicalHeaderKey(name))
	}
}

// joined joins ids so that no two lists of ids come to the same text.
func joined(ids ...string) string { return fmt.Sprintf("%q", ids) }
