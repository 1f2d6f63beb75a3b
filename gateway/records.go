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

	// A sink that refuses us as a whole may do so for what is in one record, as a filter on the way to it does.
	alone  int            // records in a row for which it refused us, each sent by itself
	last   string         // the last of them
	blamed map[string]int // how often it took another right after refusing us for a record
}

const (
	enoughAlone = 2 // records in a row, each by itself, for which a sink refuses us before the connection is unwell
	enoughBlame = 2 // times that it takes another right after refusing us for one, before that one is given up on
)

// turn tells how many records the next batch may have; 0 while there can be none, or not before some time.
func (s *sending) turn(conn *connection, now time.Time) (width int, wait time.Duration) {
	most, _ := connectors.Batch(conn.connector)
	most = max(most, 1)
	if s.of != conn { // published anew: what was learned is of another
		*s = sending{of: conn, underWay: s.underWay, open: s.open, more: s.more, width: most}
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
		return // blame sees to a refusal, and the connection as a whole waits where quiet is wanted
	}
	s.failed++
	s.until = now.Add(max(retry.pause(s.failed, jitter), e.RetryAfter))
	s.width = max(s.width/2, 1)
}

// blame finds out why a sink refused us, where it did when it was handed so many records. Of several, one by itself will
// show. One that was refused again and again while another was taken is given up on; else it waits behind the others, so
// that the next by itself is not the same.
func (s *sending) blame(retry Retry, results []result, records int, now time.Time) {
	var refused []*result
	for i := range results {
		r := &results[i]
		switch {
		case r.err == nil:
			s.took(r.delivery.ID)
		case r.next.unwell:
			refused = append(refused, r)
		}
	}
	if len(refused) == 0 {
		return
	}
	s.width = 1
	if records > 1 {
		for _, r := range refused {
			r.next.unwell = false
		}
		return
	}
	r := refused[0]
	id := r.delivery.ID
	if s.blamed[id] >= enoughBlame {
		delete(s.blamed, id)
		r.err = connectors.Permanently("the sink takes others and refuses us for this record: %w", r.err)
		r.next = retry.after(r.delivery, r.err, now, 0)
		return
	}
	s.last = id
	s.alone++
	r.next.due, r.next.unwell = now, s.alone >= enoughAlone
}

// took notes that a sink took a record: the last for which it refused us may be at fault itself.
func (s *sending) took(id string) {
	if s.last != "" && s.last != id {
		if s.blamed == nil {
			s.blamed = map[string]int{}
		}
		s.blamed[s.last]++
	}
	delete(s.blamed, id)
	s.alone, s.last = 0, ""
}
