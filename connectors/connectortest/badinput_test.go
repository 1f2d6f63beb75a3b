package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// complaints is a test that only notes what it is told.
type complaints struct {
	testing.TB
	said []string
}

func (c *complaints) Errorf(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf(format, args...))
}
func (c *complaints) Helper() {}

type receiverFunc func(body []byte) (connectors.Event, error)

func (f receiverFunc) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	e, err := f(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	return connectors.Received{Events: []connectors.Event{e}}, nil
}

// strict reads an id as a receiver should.
func strict(body []byte) (e connectors.Event, err error) {
	members, err := connectors.ReadObject(body)
	if err != nil {
		return e, err
	}
	id, ok := members["id"].(string)
	if !ok || id == "" || strings.ContainsRune(id, 0) {
		return e, &connectors.Malformed{Reason: "id is missing or is no text"}
	}
	data := connectors.AsStored(members["data"])
	return connectors.Event{Dedupe: id, Kind: connectors.AccessRequested, RequestID: id, Data: map[string]any{"data": data}}, nil
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		receive receiverFunc
		want    []string // parts of complaints; none: it passes
	}{
		{"a receiver that keeps its promises", strict, nil},
		{"one that makes up a RequestId", func(body []byte) (connectors.Event, error) {
			e, err := strict(body)
			if err != nil && json.Valid(body) && body[0] == '{' {
				return connectors.Event{Dedupe: "x", Kind: connectors.AccessRequested, RequestID: "made-up"}, nil
			}
			return e, err
		}, []string{`"made-up" does not stand in the body`, "/id is 7: the RequestId is"}},
		{"one that takes the last of two keys", func(body []byte) (connectors.Event, error) {
			var members map[string]any
			if err := json.Unmarshal(body, &members); err != nil {
				return connectors.Event{}, &connectors.Malformed{Reason: "no JSON"}
			}
			id, _ := members["id"].(string)
			return connectors.Event{Dedupe: "x", Kind: connectors.AccessRequested, RequestID: id, Data: map[string]any{"data": members["data"]}}, nil
		}, []string{"/id twice, the second time another: was accepted", "the number was rounded", "null: was accepted"}},
		{"one that panics", func(body []byte) (connectors.Event, error) {
			var members map[string]any
			_ = json.Unmarshal(body, &members)
			return connectors.Event{Dedupe: "x", Kind: "x", RequestID: members["id"].(string)}, nil
		}, []string{"panic"}},
		{"one that repeats what it refuses", func(body []byte) (connectors.Event, error) {
			e, err := strict(body)
			if err != nil {
				err = &connectors.Malformed{Reason: string(body)}
			}
			return e, err
		}, []string{"the refusal repeats the body"}},
		{"one whose error is of no kind", func(body []byte) (connectors.Event, error) {
			e, err := strict(body)
			if err != nil {
				err = fmt.Errorf("read: %w", context.Canceled)
			}
			return e, err
		}, []string{"want *connectors.Malformed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &complaints{TB: t}
			BadInput(c, Input{Receiver: tt.receive, Body: []byte(`{"id":"r-1","data":{"list":[1,{"deep":"x"}]}}`), Identity: []string{"/id"}, RequestID: "/id"})
			all := strings.Join(c.said, "\n")
			for _, want := range tt.want {
				if !strings.Contains(all, want) {
					t.Errorf("no complaint %q in:\n%.2000s", want, all)
				}
			}
			if len(tt.want) == 0 && len(c.said) > 0 {
				t.Errorf("complaints:\n%.2000s", all)
			}
		})
	}
}
