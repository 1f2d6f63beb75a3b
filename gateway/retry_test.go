package gateway

import (
	"errors"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	claimEnd := now.Add(30 * time.Second)
	fail := func(e connectors.Error) error { e.Err = errors.New("fault"); return &e }
	r := Retry{Attempts: 3, First: time.Second, Longest: time.Minute, IndexLag: 2 * time.Minute}
	tests := []struct {
		name     string
		delivery store.Delivery
		err      error
		want     next
	}{
		{"success", store.Delivery{Kind: "create", Attempts: 1}, nil, next{state: stateDelivered, usedAttempt: true}},
		{"temporary", store.Delivery{Kind: "comment", Attempts: 2}, fail(connectors.Error{Kind: connectors.Temporary, Sent: true}),
			next{state: statePending, due: now.Add(time.Second), usedAttempt: true}},
		{"the vendor's own wish is longer", store.Delivery{Kind: "comment", Attempts: 1}, fail(connectors.Error{Kind: connectors.Temporary, RetryAfter: time.Minute}),
			next{state: statePending, due: now.Add(time.Minute), usedAttempt: true}},
		{"attempts used up", store.Delivery{Kind: "comment", Attempts: 3}, fail(connectors.Error{Kind: connectors.Temporary}),
			next{state: stateDead, usedAttempt: true}},
		{"permanent", store.Delivery{Kind: "create", Attempts: 1}, fail(connectors.Error{Kind: connectors.Permanent}),
			next{state: stateDead, usedAttempt: true}},
		{"throttled uses nothing up and quiets the connection", store.Delivery{Kind: "create", Attempts: 3}, fail(connectors.Error{Kind: connectors.Throttled, RetryAfter: 7 * time.Second}),
			next{state: statePending, due: now.Add(7 * time.Second), waitUntil: now.Add(7 * time.Second)}},
		{"unwell uses nothing up and pauses the connection", store.Delivery{Kind: "create", Attempts: 3}, fail(connectors.Error{Kind: connectors.Unwell}),
			next{state: statePending, due: now, unwell: true}},
		{"a create that may have acted is in doubt until claim and index lag are over", store.Delivery{Kind: "create", Attempts: 1, ClaimedUntil: claimEnd}, fail(connectors.Error{Kind: connectors.Temporary, Sent: true}),
			next{state: statePending, due: now.Add(500 * time.Millisecond), usedAttempt: true, inDoubt: true, doubtUntil: claimEnd.Add(2 * time.Minute)}},
		{"doubt outlives the last attempt", store.Delivery{Kind: "create", Attempts: 3, ClaimedUntil: claimEnd}, fail(connectors.Error{Kind: connectors.Temporary, Sent: true}),
			next{state: statePending, due: now.Add(2 * time.Second), usedAttempt: true, inDoubt: true, doubtUntil: claimEnd.Add(2 * time.Minute)}},
		{"doubt stays when a later look fails", store.Delivery{Kind: "create", Attempts: 1, InDoubt: true, DoubtUntil: claimEnd}, fail(connectors.Error{Kind: connectors.Temporary}),
			next{state: statePending, due: now.Add(500 * time.Millisecond), usedAttempt: true, inDoubt: true, doubtUntil: claimEnd}},
		{"a decision that may have arrived is in doubt", store.Delivery{Kind: "decide", Attempts: 1}, fail(connectors.Error{Kind: connectors.Temporary, Sent: true}),
			next{state: statePending, due: now.Add(500 * time.Millisecond), usedAttempt: true, inDoubt: true}},
		{"an error that is none of ours may have acted", store.Delivery{Kind: "decide", Attempts: 1}, errors.New("odd"),
			next{state: statePending, due: now.Add(500 * time.Millisecond), usedAttempt: true, inDoubt: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := r.after(test.delivery, test.err, now, 0); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestRetryOfRecords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	place := now.Add(-time.Hour)
	r := Retry{Attempts: 3, First: time.Second, Longest: time.Minute}
	down := &connectors.Error{Kind: connectors.Temporary}
	lost := &connectors.Error{Kind: connectors.Temporary, Sent: true}
	refused := &connectors.Error{Kind: connectors.Permanent}
	slowly := &connectors.Error{Kind: connectors.Throttled, RetryAfter: 7 * time.Second}
	waits := next{state: statePending, due: place}
	tests := []struct {
		name     string
		attempts int
		size     int // of a batch that failed as a whole; 0: the record was answered by itself
		err      error
		want     next
	}{
		{"of a batch, it keeps its place and its attempts", 3, 2, down, waits},
		{"alone, it keeps its place", 2, 1, down, next{state: statePending, due: place, usedAttempt: true}},
		{"alone for the last time", 3, 1, down, next{state: stateDead, usedAttempt: true}},
		{"of a batch whose answer was lost", 3, 2, lost, next{state: statePending, due: place, inDoubt: true}},
		{"of a batch that is refused", 1, 2, refused, next{state: stateDead, usedAttempt: true}},
		{"of a batch that is throttled", 3, 1, slowly, next{state: statePending, due: place, waitUntil: now.Add(7 * time.Second)}},
		{"by itself, others go before it", 1, 0, down, next{state: statePending, due: now.Add(500 * time.Millisecond), usedAttempt: true}},
		{"by itself for the last time", 3, 0, down, next{state: stateDead, usedAttempt: true}},
		{"by itself refused", 1, 0, refused, next{state: stateDead, usedAttempt: true}},
		{"by itself throttled, it keeps its place", 1, 0, slowly, next{state: statePending, due: place, waitUntil: now.Add(7 * time.Second)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := store.Delivery{Kind: "send", Attempts: test.attempts, Due: place}
			got := r.afterRecord(d, test.err, now, 0)
			if test.size > 0 {
				got = r.afterBatch(d, test.err, test.size, now, 0)
			}
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestPauseGrowsAndIsBounded(t *testing.T) {
	t.Parallel()
	r := Retry{}.orDefault()
	last := time.Duration(0)
	for tries := 1; tries < 200; tries++ {
		low, high := r.pause(tries, 0), r.pause(tries, 0.999)
		if low < last || high > r.Longest || low <= 0 || high < low {
			t.Fatalf("try %d: pause from %v to %v after %v", tries, low, high, last)
		}
		last = low
	}
}
