package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// each runs f on a fresh bench for every operation the connector can do.
func each(t *testing.T, s Suite, f func(b *bench, op operation)) error {
	t.Helper()
	var found []error
	for _, op := range operations {
		b := newBench(t, s)
		if !op.can(b.c) {
			continue
		}
		if !op.given(s) {
			found = append(found, fmt.Errorf("%s: the suite lacks the sample", op.name))
			continue
		}
		if b.prepare(t.Context(), op) {
			f(b, op)
		}
		found = append(found, b.err())
	}
	return errors.Join(found...)
}

var statuses = []struct {
	status int
	kind   connectors.Kind
}{
	{http.StatusMovedPermanently, connectors.Unwell},
	{http.StatusFound, connectors.Unwell},
	{http.StatusTemporaryRedirect, connectors.Unwell},
	{http.StatusBadRequest, connectors.Permanent},
	{http.StatusUnauthorized, connectors.Unwell},
	{http.StatusForbidden, connectors.Permanent},
	{http.StatusNotFound, connectors.Permanent},
	{http.StatusRequestTimeout, connectors.Temporary},
	{http.StatusConflict, connectors.Temporary},
	{http.StatusPreconditionFailed, connectors.Temporary},
	{http.StatusRequestEntityTooLarge, connectors.Permanent},
	{http.StatusUnprocessableEntity, connectors.Permanent},
	{http.StatusTooManyRequests, connectors.Throttled},
	{http.StatusInternalServerError, connectors.Temporary},
	{http.StatusBadGateway, connectors.Temporary},
	{http.StatusServiceUnavailable, connectors.Temporary},
	{http.StatusGatewayTimeout, connectors.Temporary},
}

// checkStatuses answers every request with each status.
func checkStatuses(t *testing.T, s Suite) error {
	if s.Peer != nil {
		return noHTTP
	}
	return each(t, s, func(b *bench, op operation) {
		for _, want := range statuses {
			b.server.disturb(fault{answer: answerStatus(want.status), on: true})
			during := "HTTP " + strconv.Itoa(want.status)
			err := b.call(t.Context(), op, during)
			if seen, _ := b.server.requests(); len(seen) == 0 {
				continue // it knew the answer by itself
			}
			b.judge(op, during, want.status, want.kind, err)
		}
	})
}

func (b *bench) judge(op operation, during string, status int, kind connectors.Kind, err error) {
	if other, ok := b.suite.Means[fmt.Sprintf("%s %d", op.name, status)]; ok {
		kind = other
	}
	if kind == NoError {
		if err != nil {
			b.fault("%s, %s: got %w, want no error", op.name, during, err)
		}
		return
	}
	e, ok := errors.AsType[*connectors.Error](err)
	if !ok {
		b.fault("%s, %s: got %v, want an error that is %s", op.name, during, err, kind)
		return
	}
	if e.Kind != kind {
		b.fault("%s, %s: got %s, want %s: %w", op.name, during, e.Kind, kind, err)
	}
	refused := status >= 400 && status < 500 && status != http.StatusRequestTimeout
	if refused && e.Sent {
		b.fault("%s, %s: the vendor refused, but the error says it may have acted", op.name, during)
	}
	if status == http.StatusNotFound && !errors.Is(err, connectors.ErrNotFound) {
		b.fault("%s, %s: the error does not wrap ErrNotFound", op.name, during)
	}
}

// checkRetryAfter answers every request with a wait, in both ways to write it.
func checkRetryAfter(t *testing.T, s Suite) error {
	if s.Peer != nil {
		return noHTTP
	}
	waits := []struct {
		text string
		want time.Duration
	}{
		{"7", 7 * time.Second},
		{Now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
	}
	return each(t, s, func(b *bench, op operation) {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			for _, wait := range waits {
				b.server.disturb(fault{answer: answerStatus(status, "Retry-After", wait.text), on: true})
				during := fmt.Sprintf("HTTP %d with Retry-After: %s", status, wait.text)
				err := b.call(t.Context(), op, during)
				if seen, _ := b.server.requests(); len(seen) == 0 {
					continue
				}
				e, ok := errors.AsType[*connectors.Error](err)
				if !ok || e.Kind != connectors.Throttled || e.RetryAfter != wait.want {
					b.fault("%s, %s: got %s, want throttled for %s", op.name, during, describe(err), wait.want)
				}
			}
		}
	})
}

func describe(err error) string {
	e, ok := errors.AsType[*connectors.Error](err)
	if !ok {
		return fmt.Sprintf("%v", err)
	}
	return fmt.Sprintf("%s for %s (%v)", e.Kind, e.RetryAfter, err)
}

var brokenAnswers = []struct {
	name   string
	answer http.HandlerFunc
	reads  bool // matters only to those who need what the answer holds
}{
	{"a web page", answerText("text/html; charset=utf-8", []byte("<!doctype html><title>Sign in</title>")), false},
	{"10 MiB", answerText("application/json", append(bytes.Repeat([]byte(" "), 10<<20), "{}"...)), false},
	{"JSON that is cut", answerText("application/json", []byte(`{"id":"1","key":"A-1",`)), true},
	{"an answer that breaks off", cutMidway, true},
	{"no answer", cut, false},
}

// checkBrokenAnswers answers every request with what is no answer.
func checkBrokenAnswers(t *testing.T, s Suite) error {
	if s.Peer != nil {
		return checkBrokenDialogues(t, s)
	}
	return each(t, s, func(b *bench, op operation) {
		for _, broken := range brokenAnswers {
			b.server.disturb(fault{answer: broken.answer, on: true})
			err := b.call(t.Context(), op, broken.name)
			if seen, _ := b.server.requests(); len(seen) == 0 || (broken.reads && !op.reads) {
				continue
			}
			meant, ok := s.Means[op.name+" "+broken.name]
			if err == nil && !(ok && meant == NoError) {
				b.fault("%s, %s: got no error", op.name, broken.name)
			}
		}
	})
}

// checkStop stops every operation while the vendor thinks, and before it begins.
func checkStop(t *testing.T, s Suite) error { return checkStopWithin(t, s, 10*time.Second) }

// checkStopWithin bounds by patience what has to happen at once.
func checkStopWithin(t *testing.T, s Suite, patience time.Duration) error {
	return each(t, s, func(b *bench, op operation) {
		arrived, release := b.hold()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- b.call(ctx, op, "stopped") }()
		select {
		case <-arrived:
			stop()
		case <-ended:
			return // it asks nobody
		}
		select {
		case err := <-ended:
			if err == nil {
				b.fault("%s, stopped: got no error", op.name)
			}
		case <-time.After(patience):
			release()
			<-ended
			b.fault("%s, stopped: still ran after %s", op.name, patience)
		}
		b.undisturb()
		_ = b.call(ctx, op, "stopped before")
		if seen := b.asked(); len(seen) > 0 {
			b.fault("%s, stopped before it began: asked %v", op.name, seen)
		}
	})
}
