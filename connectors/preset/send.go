package preset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Send makes requests of records, as few as the preset and their order allow, and says of each record what became of it.
// What fails as a whole ends it: the records after it were not tried.
func (s *sink) Send(ctx context.Context, rs []connectors.Record) ([]connectors.Result, error) {
	s.announce()
	b := &batch{sink: s, results: make([]connectors.Result, len(rs))}
	var all []piece
	for i := range rs {
		list, err := s.pieces(ctx, i, &rs[i], s.names(&rs[i]))
		if err != nil {
			if ctx.Err() != nil {
				return nil, &connectors.Error{Kind: connectors.Temporary, Err: fmt.Errorf("send: the call was stopped: %w", ctx.Err())}
			}
			b.results[i].Err = connectors.Permanently("send: %w", err)
			continue
		}
		all = append(all, list...)
	}
	for _, chunk := range s.grouped(ctx, all) {
		b.post(ctx, chunk)
	}
	if b.stop != nil && !b.told {
		return nil, b.stop
	}
	return b.results, nil
}

// batch is one Send under way.
type batch struct {
	sink    *sink
	results []connectors.Result
	told    bool              // the sink said something of a record
	stop    *connectors.Error // why nothing more is tried
	renewed bool              // the access token was got anew
	links   []string          // hidden from what the vendor says
}

// grouped cuts records into requests, in their order: where the group changes, a new one starts.
func (s *sink) grouped(ctx context.Context, all []piece) (out [][]piece) {
	for len(all) > 0 {
		end := slices.IndexFunc(all, func(one piece) bool { return one.key != all[0].key })
		if end < 0 {
			end = len(all)
		}
		out, all = append(out, s.chunks(ctx, all[:end])...), all[end:]
	}
	return out
}

// chunks cuts records of one group into requests.
func (s *sink) chunks(ctx context.Context, all []piece) [][]piece {
	limits := s.preset.doc.Batch
	most, around := max(limits.MaxItems, 1), 0
	if empty, err := s.frame(ctx, []piece{{group: all[0].group}}); err == nil { // else every request says why
		around = len(empty)
	}
	var out [][]piece
	start, size := 0, around
	for i, one := range all {
		n := len(one.bytes) + 1
		if i > start && (i-start >= most || limits.MaxBytes > 0 && size+n > limits.MaxBytes) {
			out = append(out, all[start:i])
			start, size = i, around
		}
		size += n
	}
	return append(out, all[start:])
}

// post sends one request, and its halves where a part of it was in the way.
func (b *batch) post(ctx context.Context, list []piece) {
	if b.stop != nil {
		rest := &connectors.Error{Kind: b.stop.Kind, RetryAfter: b.stop.RetryAfter, Err: fmt.Errorf("not tried: %w", b.stop.Err)}
		b.each(list, connectors.Result{Err: rest})
		return
	}
	r, err := b.sink.exchange(ctx, list)
	if err != nil {
		b.fail(list, connectors.AsError(err))
		return
	}
	hide := r.hide
	r.hide = func(text string) string {
		for _, link := range b.links {
			text = strings.ReplaceAll(text, link, "[link]")
		}
		return hide(text)
	}
	what, err := b.sink.preset.judge(r, b.sink.env.Now())
	if what == taken {
		err = b.sink.validate(r)
		id := b.sink.id(r)
		unnamed := b.sink.confirms && id == ""
		if err == nil && b.sink.confirms && !unnamed {
			err = b.sink.confirm(ctx, id)
		}
		if err != nil {
			b.fail(list, connectors.AsError(err))
			return
		}
		b.each(list, connectors.Result{ID: id})
		if unnamed {
			b.stop = b.sink.unconfirmable()
		}
		return
	}
	if what == stale && r.status != http.StatusUnauthorized && !b.renewed && b.sink.client.DropToken() { // after a 401 it is new already
		b.renewed = true
		b.post(ctx, list)
		return
	}
	split := what == partly || what == refused && (r.status == http.StatusRequestEntityTooLarge || r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity)
	if !split || len(list) == 1 || what == partly && b.sink.none(ctx, r, len(list)) {
		b.fail(list, connectors.AsError(err))
		return
	}
	b.post(ctx, list[:len(list)/2])
	b.post(ctx, list[len(list)/2:])
}

func (b *batch) fail(list []piece, e *connectors.Error) {
	b.each(list, connectors.Result{Err: e})
	if e.Kind != connectors.Permanent {
		b.stop = e
	}
}

// each notes what became of records. Of one that was split, the worst counts.
func (b *batch) each(list []piece, result connectors.Result) {
	for _, one := range list {
		if b.results[one.record].Err == nil {
			b.results[one.record] = result
		}
	}
	b.told = b.told || result.Err == nil || connectors.AsError(result.Err).Kind == connectors.Permanent
}

// exchange sends one request and returns its answer, whatever its status. Without an answer it fails.
func (s *sink) exchange(ctx context.Context, list []piece) (*reply, error) {
	if err := s.withholds(); err != nil {
		return nil, err
	}
	call, _, err := s.request(ctx, list)
	if err != nil {
		return nil, err
	}
	return s.paced(ctx, call)
}

// paced is do for a call that counts towards the rate the vendor takes.
func (s *sink) paced(ctx context.Context, call connectors.Call) (*reply, error) {
	if err := s.pace.take(s.env.Now()); err != nil {
		return nil, err
	}
	return s.do(ctx, call)
}

// request makes a request of records, and its body as it is before it is packed.
func (s *sink) request(ctx context.Context, list []piece) (call connectors.Call, body []byte, err error) {
	in := list[0].in
	if in == nil {
		in = s.names(nil)
	}
	if call, err = s.call(ctx, with(in, "group", list[0].group)); err != nil {
		return call, nil, err
	}
	if body, err = s.frame(ctx, list); err != nil {
		return call, nil, connectors.Permanently("send: %w", err)
	}
	if most := s.preset.doc.Batch.MaxBytes; most > 0 && len(body) > most { // of one record: chunks cuts more of them
		return call, nil, connectors.Permanently("send: %w", inField("batch.max_bytes", "the record makes a request of %d bytes, %d are the most", len(body), most))
	}
	call.Body = body
	call.Header.Set("Content-Type", cmp.Or(s.preset.doc.Body.ContentType, framings[s.preset.doc.Body.Framing]))
	if s.gzip {
		call.Body = packed(body)
		call.Header.Set("Content-Encoding", "gzip")
	}
	return call, body, nil
}

func (s *sink) do(ctx context.Context, call connectors.Call) (*reply, error) {
	answer, err := s.client.Do(ctx, call)
	if err == nil {
		return &reply{status: answer.Status, header: answer.Header, body: answer.Body, hide: answer.Hidden}, nil
	}
	e := connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return nil, e
	}
	return &reply{status: e.Status, header: answered.Header, body: answered.Body, err: e, hide: answered.Hidden}, nil
}

// none tells whether an answer of partial success says that nothing was taken, so that halves would say the same.
func (s *sink) none(ctx context.Context, r *reply, sent int) bool {
	count := func(v any, err error) int {
		n, ok := connectors.ScalarText(v)
		if err != nil || !ok {
			return -1
		}
		var whole int
		if _, err := fmt.Sscan(n, &whole); err != nil {
			return -1
		}
		return whole
	}
	in := map[string]any{"response": r.values()}
	return count(s.preset.good.Eval(ctx, in)) == 0 && count(s.preset.bad.Eval(ctx, in)) >= sent
}

// id is the vendor's own for what it took.
func (s *sink) id(r *reply) string {
	if len(s.preset.id) == 0 {
		return ""
	}
	v, _ := s.preset.id.find(r.json())
	text, _ := connectors.ScalarText(v)
	return connectors.Clean(r.hide(text), 200)
}

// validator is a compiled Validator.
type validator struct {
	Validator
	at jsonPath
}

// validate looks for what the operator wants in a success besides.
func (s *sink) validate(r *reply) error {
	for _, v := range s.validators {
		found, ok := v.at.find(r.json())
		if !ok || !among(found, v.Values) {
			return &connectors.Error{Kind: connectors.Permanent, Sent: true, Status: r.status, Err: fmt.Errorf("send: the answer has none of the values wanted at %s", v.Path)}
		}
	}
	return nil
}
