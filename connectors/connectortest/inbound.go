package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
)

// checkForged changes signed requests and expects each to be refused.
func checkForged(t *testing.T, s Suite) error {
	b := newBench(t, s)
	if _, ok := connectors.AsReceiver(b.c); !ok {
		return notThisKind
	}
	if len(s.Inbound) == 0 {
		return errors.New("receive: the suite lacks the sample")
	}
	scheme, err := verify.Merge(connectors.DefaultVerification(b.c), s.Verification)
	if err != nil {
		return err
	}
	if scheme.None {
		return errors.New("verification: none proves nothing; give the suite a scheme the vendor can use")
	}
	signing := signer{scheme: scheme, vault: &connectors.Vault{}, at: Now}
	for i, plain := range s.Inbound {
		signed, err := signing.sign(plain)
		if err != nil {
			return fmt.Errorf("sign request %d: %w", i, err)
		}
		b.forge(t, signing, plain, signed, i)
	}
	return b.err()
}

func (b *bench) forge(t *testing.T, signing signer, plain, signed connectors.Request, i int) {
	at := func(now time.Time) *verify.Verifier {
		v, err := verify.New(connectors.DefaultVerification(b.c), b.suite.Verification, verify.Env{Vault: signing.vault, Now: func() time.Time { return now }})
		if err != nil {
			b.fault("request %d: make verifier: %w", i, err)
		}
		return v
	}
	v := at(Now)
	if _, err := v.Verify(t.Context(), signed, ""); err != nil {
		b.fault("request %d, signed: %w", i, err)
		return
	}
	forged := func(v *verify.Verifier, r connectors.Request, format string, args ...any) {
		if _, err := v.Verify(t.Context(), r, ""); !errors.Is(err, connectors.ErrForged) {
			b.fault("request %d, %s: got %v, want ErrForged", i, fmt.Sprintf(format, args...), err)
		}
	}
	forged(v, clone(plain), "without credentials")
	for _, name := range signing.headers() {
		for at := range len(signed.Header.Get(name)) {
			changed := clone(signed)
			value := []byte(signed.Header.Get(name))
			value[at] ^= 1
			changed.Header.Set(name, string(value))
			if !sameCredentials(signing, signed, changed) {
				forged(v, changed, "byte %d of header %s changed", at, name)
			}
		}
		missing := clone(signed)
		missing.Header.Del(name)
		forged(v, missing, "header %s missing", name)
	}
	if signing.scheme.Token != nil {
		changed := clone(signed)
		changed.URL.RawQuery += "x"
		forged(v, changed, "another token")
	}
	if signing.signs() {
		for at := 0; at < len(signed.Body); at += 1 + len(signed.Body)/4096 {
			changed := clone(signed)
			changed.Body[at] ^= 1
			forged(v, changed, "byte %d of the body changed", at)
		}
		longer := clone(signed)
		longer.Body = append(longer.Body, ' ')
		forged(v, longer, "a byte more")
	}
	if signing.ages() {
		forged(at(Now.Add(signing.window()+time.Second)), signed, "too old")
		forged(at(Now.Add(-signing.window()-time.Second)), signed, "from the future")
	}
}

// sameCredentials tells whether a changed request still says the same: the last bits of Basic's base64 may say nothing.
func sameCredentials(signing signer, a, b connectors.Request) bool {
	if signing.scheme.Basic == nil {
		return false
	}
	pair := func(r connectors.Request) string {
		user, password, _ := (&http.Request{Header: r.Header}).BasicAuth()
		return user + ":" + password
	}
	return pair(a) == pair(b)
}

// checkReceive decodes the samples, and what is left of them after damage.
func checkReceive(t *testing.T, s Suite) error {
	b := newBench(t, s)
	receiver, ok := connectors.AsReceiver(b.c)
	if !ok {
		return notThisKind
	}
	ctx := t.Context()
	for i, plain := range s.Inbound {
		where := fmt.Sprintf("request %d", i)
		first, err := b.receive(ctx, receiver, clone(plain), where)
		if err != nil {
			b.fault("%s: %w", where, err)
			continue
		}
		second, err := b.receive(ctx, receiver, clone(plain), where+" again")
		if err != nil {
			b.fault("%s again: %w", where, err)
			continue
		}
		b.compareReceived(where, first, second)
		b.damage(ctx, receiver, plain, where)
	}
	return b.err()
}

// receive decodes r and looks at what holds for every request.
func (b *bench) receive(ctx context.Context, receiver connectors.Receiver, r connectors.Request, where string) (got connectors.Received, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			b.fault("%s: panic: %v\n%s", where, p, debug.Stack())
		}
	}()
	if r.Time.IsZero() {
		r.Time = Now
	}
	return receiver.Receive(ctx, r)
}

// compareReceived looks at one request received twice.
func (b *bench) compareReceived(where string, first, second connectors.Received) {
	if len(first.Events) != len(second.Events) || len(first.Changes) != len(second.Changes) || len(first.Votes) != len(second.Votes) {
		b.fault("%s: the same request carried different things the second time", where)
		return
	}
	known := connectors.Emits(b.c)
	for i, e := range first.Events {
		if e.Dedupe == "" || e.Dedupe != second.Events[i].Dedupe {
			b.fault("%s: event %d is %q the first time and %q the second", where, i, e.Dedupe, second.Events[i].Dedupe)
		}
		at := slices.IndexFunc(known, func(t connectors.EventType) bool { return t.Kind == e.Kind })
		if at < 0 {
			b.fault("%s: event %d is of kind %q, which Emits does not list", where, i, e.Kind)
			continue
		}
		for name, value := range e.Data {
			field := slices.IndexFunc(known[at].Data, func(f connectors.Field) bool { return f.ID == name })
			if field < 0 {
				b.fault("%s: event %d has data %s, which Emits does not list", where, i, name)
			} else if kind := known[at].Data[field].Type; !fits(value, kind) {
				b.fault("%s: event %d has data %s as a %T, which Emits lists as %s", where, i, name, value, kind)
			}
		}
	}
	for i, c := range first.Changes {
		if c.Ref.ID == "" && c.Ref.Key == "" {
			b.fault("%s: change %d names no ticket", where, i)
		}
	}
}

func fits(value any, kind string) bool {
	switch value.(type) {
	case nil:
		return true
	case string:
		return kind == "text" || kind == "time" || kind == "any"
	case bool:
		return kind == "bool" || kind == "any"
	case int, int64, float64, json.Number:
		return kind == "number" || kind == "any"
	case time.Time:
		return kind == "time" || kind == "any"
	case []any, []string:
		return kind == "list" || kind == "any"
	case map[string]any:
		return kind == "object" || kind == "any"
	default:
		return false
	}
}

// damage receives what is left of a request, and what is none.
func (b *bench) damage(ctx context.Context, receiver connectors.Receiver, plain connectors.Request, where string) {
	isJSON := json.Valid(plain.Body)
	values := longTexts(plain.Body)
	try := func(r connectors.Request, what string, mustFail bool) {
		_, err := b.receive(ctx, receiver, r, where+", "+what)
		if err == nil {
			if mustFail {
				b.fault("%s, %s: got no error", where, what)
			}
			return
		}
		_, malformed := errors.AsType[*connectors.Malformed](err)
		_, wrongType := errors.AsType[*connectors.WrongType](err)
		if !malformed && !wrongType {
			b.fault("%s, %s: got a %T, want *connectors.Malformed or *connectors.WrongType", where, what, err)
		}
		for _, value := range values {
			if strings.Contains(err.Error(), value) {
				b.fault("%s, %s: the error quotes the body", where, what)
			}
		}
	}
	body := bytes.TrimSpace(plain.Body)
	for at := 0; at < len(body); at += 1 + len(body)/64 {
		cut := clone(plain)
		cut.Body = cut.Body[:at]
		try(cut, fmt.Sprintf("cut after %d bytes", at), isJSON)
	}
	for what, text := range map[string][]byte{
		"all brackets": bytes.Repeat([]byte("["), 100_000),
		"all braces":   bytes.Repeat([]byte(`{"a":`), 50_000),
		"no UTF-8":     {'{', '"', 0xff, 0xfe, '"', ':', '1', '}'},
		"a megabyte":   bytes.Repeat([]byte("a"), 1<<20),
		"a web page":   []byte("<!doctype html><p>no</p>"),
	} {
		other := clone(plain)
		other.Body = text
		try(other, what, what != "no UTF-8" && isJSON)
	}
	foreign := clone(plain)
	foreign.Header.Set("Content-Type", "application/xml")
	foreign.Body = []byte("<event><id>1</id></event>")
	try(foreign, "XML", true)
}

// longTexts returns the texts in a JSON body that are long enough to be known again in an error.
func longTexts(body []byte) []string {
	var found []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) >= 16 {
				found = append(found, v)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	var v any
	if json.Unmarshal(body, &v) == nil {
		walk(v)
	}
	return found
}
