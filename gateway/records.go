package gateway

import (
	"maps"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// toSink is what is owed to a sink. The records of one case share a lane, so they reach it in order; those of no case
// are each a lane of their own.
func (in planInput) toSink(sink string) store.Delivery {
	d := store.Delivery{Connection: sink, Purpose: purposeRecord, Lane: in.eventID}
	if in.caze.ID != "" {
		d.Lane = "send/" + sink + "/" + in.caze.ID
	}
	return d
}

// recorded is the record of an event, without what a rule makes of it.
func (in planInput) recorded() connectors.Record {
	event := maps.Clone(in.value)
	delete(event, "raw")
	return connectors.Record{EventID: in.eventID, Source: in.source, Group: in.caze.ID, At: happened(in.event, in.received), Event: event}
}

// record is the action that sends what a rule makes of an event.
func record(d mapping.Draft, r connectors.Record) connectors.Action {
	r.Data = d.Record
	return connectors.Action{Kind: connectors.Send, Records: []connectors.Record{r}}
}

// sameRecord tells whether two records are of the same event.
func sameRecord(a, b connectors.Record) bool {
	return a.EventID == b.EventID && a.Source == b.Source && a.Group == b.Group && a.At.Equal(b.At)
}

// sending is what a worker knows of the records it sends. One batch is under way at a time.
type sending struct {
	of       *connection
	underWay bool
	open     int       // batches under way or still to be recorded
	until    time.Time // nothing is sent before
	failed   int       // times in a row that the sink failed as a whole
	width    int       // most records of the next batch
	more     bool      // the last batch was full
}

// turn tells how many records the next batch may have; 0 while there can be none, or not before some time.
func (s *sending) turn(conn *connection, now time.Time) (width int, wait time.Duration) {
	most, _ := connectors.Batch(conn.connector)
	most = max(most, 1)
	if s.of != conn { // published anew: what was learned is of another
		s.of, s.until, s.failed, s.width = conn, time.Time{}, 0, most
	}
	if s.underWay || s.open >= unrecorded {
		return 0, 0
	}
	if wait = s.until.Sub(now); wait > 0 {
		return 0, wait
	}
	return s.width, 0
}

// begin notes that a batch is under way.
func (s *sending) begin() {
	s.underWay = true
	s.open++
}

// learn notes how a batch ended: with the error of the whole, or not. A sink that failed as a whole is handed half as
// many, down to a single record, so that one that it can never bear ends alone; as it works again, the batches grow.
func (s *sending) learn(retry Retry, err error, now time.Time, jitter float64) {
	most, _ := connectors.Batch(s.of.connector)
	if err == nil || connectors.AsError(err).Kind == connectors.Permanent {
		s.failed, s.until = 0, time.Time{}
		s.width = min(2*s.width, max(most, 1))
		return
	}
	e := connectors.AsError(err)
	if e.Kind != connectors.Temporary {
		return // the connection as a whole waits
	}
	s.failed++
	s.until = now.Add(max(retry.pause(s.failed, jitter), e.RetryAfter))
	s.width = max(s.width/2, 1)
}
