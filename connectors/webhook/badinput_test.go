package webhook

import (
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 15, 0, 0, time.UTC)
	dates := map[string]time.Time{
		`"2026-01-05T10:15:00Z"`: at, `"2026-01-05T12:15:00+02:00"`: at, `"2026-01-05T10:15:00.000000001Z"`: at.Add(1),
	}
	const plain = `{"id":"evt-1","event":"request.created","tenant":"t-1","at":"2026-01-05T10:15:00Z","request":{"id":"r-1","reason":"a migration","resource":"db",
		"user":{"login":"ana","name":"Ana","mail":"ana@corp.example"},"risk":3,"tags":["a","b"],"number":"n-1","urgent":true,"link":"https://tool.example/r-1"}}`
	const cloud = `{"specversion":"1.0","id":"A-1","source":"/tools/a","type":"request.created","time":"2026-01-05T10:15:00Z","subject":"r-1","tenant":"t-1",
		"datacontenttype":"application/json","data":{"request":{"id":"r-1","reason":"please","user":{"login":"ana","name":"Ana"}}}}`
	for _, tt := range []struct {
		name, settings, kind, body, request, time string
		identity                                  []string
		times                                     map[string]time.Time
	}{
		{"json", "json", "application/json", plain, "/request/id", "/at", []string{"/id", "/event", "/tenant", "/request", "/request/id", "/request/user/login"}, dates},
		{"cloudevents", "cloud", structured, cloud, "/data/request/id", "/time", []string{"/id", "/source", "/type", "/tenant", "/data", "/data/request/id"}, dates},
		{"batch", "cloud", "application/cloudevents-batch+json", "[" + cloud + "]", "/0/data/request/id", "", []string{"/0/id", "/0/source", "/0/type", "/0/data/request/id"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, _ := connectors.AsReceiver(mustOpen(t, readFile(t, "testdata/"+tt.settings+".yaml")))
			connectortest.BadInput(t, connectortest.Input{
				Receiver: receiver, Type: tt.kind, Body: []byte(tt.body), Identity: tt.identity, RequestID: tt.request, Time: tt.time, Times: tt.times,
			})
		})
	}
}

// What is kept of an event in a batch is the event, not the batch.
func TestAnEventOfABatchIsKeptByItself(t *testing.T) {
	t.Parallel()
	receiver, _ := connectors.AsReceiver(mustOpen(t, readFile(t, "testdata/cloud.yaml")))
	first := `{"specversion":"1.0","id":"1","source":"/a","type":"request.created",  "data":{"request":{"id":"r-1"}}}`
	second := `{"specversion":"1.0","id":"2","source":"/a","type":"request.created","data":{"request":{"id":"r-2"}}}`
	r := connectors.Request{Method: "POST", Header: map[string][]string{"Content-Type": {"application/cloudevents-batch+json"}}, Body: []byte("[" + first + " ,\n" + second + "]"), Time: connectortest.Now}
	got, err := receiver.Receive(t.Context(), r)
	if err != nil || len(got.Events) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, want := range []string{first, second} {
		if p := got.Events[i].Part; p == nil || string(p.Body) != want || p.ContentType != structured {
			t.Errorf("event %d: kept is %+v, want %s", i, p, want)
		}
	}
}
