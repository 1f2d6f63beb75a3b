package preset

import (
	"errors"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/preset/presetstandin"
)

// lengthy is a record of which one text, which the preset sends in full, has n bytes.
func lengthy(preset string, n int) []connectors.Record {
	rs, text := records(1), strings.Repeat("x", n)
	switch preset {
	case "logzio":
		rs[0].Event["subject"] = text
	case "sentinel": // its reason is cut to 16,000 characters
		rs[0].Event["requester"] = map[string]any{"name": text}
	default:
		rs[0].Event["reason"] = text
	}
	return rs
}

// outcome is what became of one record.
func outcome(t *testing.T, c connectors.Connector, rs []connectors.Record) error {
	t.Helper()
	results, err := send(t, c, rs)
	if err == nil {
		err = results[0].Err
	}
	return err
}

// size is how many bytes the preset's own limit counts of a record: those of the record, or of its request.
func size(t *testing.T, s *sink, rs []connectors.Record) int {
	t.Helper()
	list, err := s.pieces(t.Context(), 0, &rs[0], s.names(&rs[0]))
	connectortest.Must(t, err)
	if s.preset.doc.Batch.MaxItemBytes > 0 {
		return len(list[0].bytes)
	}
	_, body, err := s.request(t.Context(), list)
	connectortest.Must(t, err)
	return len(body)
}

// A record of exactly the limit goes out whole; of one byte more it is cut where the preset says so, else a dead letter.
func TestRecordsAreHeldToTheLimitOfTheirPreset(t *testing.T) {
	t.Parallel()
	for name, p := range loaded(t) {
		limits := p.doc.Batch
		most := limits.MaxItemBytes
		if most == 0 {
			most = limits.MaxBytes
		}
		if most == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, nil)
			s := sinkOf(w.sink)
			fill := 1000 + most - size(t, s, lengthy(name, 1000))
			if got := size(t, s, lengthy(name, fill)); got != most {
				t.Fatalf("%d bytes, want %d", got, most)
			}
			connectortest.Must(t, outcome(t, w.sink, lengthy(name, fill)))
			if strings.Contains(w.Requests(), "…") {
				t.Error("it was cut")
			}
			err := outcome(t, w.sink, lengthy(name, fill+1))
			if limits.OnOversize == "cut" {
				connectortest.Must(t, err)
				if got := size(t, s, lengthy(name, fill+1)); !strings.Contains(w.Requests(), "…") || got > most || got < most-256 {
					t.Errorf("%d bytes were sent of %d", got, most)
				}
				return
			}
			if e := connectors.AsError(err); err == nil || e.Kind != connectors.Permanent || e.Sent || !strings.Contains(err.Error(), "are the most") || w.Count() != 1 {
				t.Errorf("got %v and %d requests, want a dead letter", err, w.Count())
			}
		})
	}
}

// What is taken at the front door is no dead letter at a sink that sets no limit.
func TestLargeEventsReachEverySink(t *testing.T) {
	t.Parallel()
	for name, p := range loaded(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name, nil)
			long := 66_000
			if p.doc.Batch == (Batch{}) {
				long = 900_000
			}
			for what, rs := range map[string][]connectors.Record{"reason": records(1), "data": records(1), "record": records(1)} {
				switch text := strings.Repeat("y", long); what {
				case "reason":
					rs[0].Event["reason"] = text
				case "data":
					rs[0].Event["data"] = map[string]any{"changes": strings.Split(strings.Repeat(text[:999]+" ", long/1000), " ")}
				case "record":
					if p.doc.Body.Wrap == nil { // others have a form of their own
						continue
					}
					rs[0].Data = map[string]any{"text": text, "incident_ids": []any{"1"}}
				}
				if err := outcome(t, w.sink, rs); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// loaded are the presets of the program.
func loaded(t *testing.T) map[string]*Preset {
	t.Helper()
	all, err := builtin()
	connectortest.Must(t, err)
	if len(all) != len(presetstandin.Names()) {
		t.Fatal(errors.New("a preset has no stand-in"))
	}
	return all
}
