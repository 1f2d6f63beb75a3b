package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// exchange is a compiled call: the same values give the same request.
type exchange struct {
	name    string // in words, for errors
	method  string
	address *address
	parts   *mapping.Setting // the headers and the body, under these names
	form    bool
	client  *connectors.Client
}

// do makes a call that was filled in.
func (x *exchange) do(ctx context.Context, call connectors.Call) (connectors.Answer, error) {
	answer, err := x.client.Do(ctx, call)
	if err != nil {
		return answer, explain(err)
	}
	return answer, nil
}

// call fills in the call. in is what its expressions see.
func (x *exchange) call(ctx context.Context, in map[string]any) (connectors.Call, error) {
	call := connectors.Call{Name: x.name, Method: x.method, Header: http.Header{}}
	var err error
	if call.URL, err = x.address.fill(ctx, in); err != nil {
		return call, x.fault(err)
	}
	computed, err := x.parts.Eval(ctx, in)
	if err != nil {
		return call, x.fault(err)
	}
	parts := computed.(map[string]any)
	if body, there := parts["body"]; there {
		if call.Body, err = x.encode(body); err != nil {
			return call, x.fault(err)
		}
		call.Header.Set("Content-Type", "application/json")
		if x.form {
			call.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	headers, _ := parts["headers"].(map[string]any)
	for name, value := range headers {
		text, ok := connectors.ScalarText(value)
		if !ok || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return call, x.fault(fmt.Errorf("header %s is not a text on one line", name))
		}
		call.Header.Set(name, text)
	}
	return call, nil
}

func (x *exchange) encode(body any) ([]byte, error) {
	if !x.form {
		return connectors.PlainJSON(body)
	}
	fields, ok := body.(map[string]any)
	if !ok {
		return nil, errors.New("a form is a mapping of texts")
	}
	form := url.Values{}
	for name, value := range fields {
		text, ok := connectors.ScalarText(value)
		if !ok {
			return nil, fmt.Errorf("field %s of the form is not a text", name)
		}
		form.Set(name, text)
	}
	return []byte(form.Encode()), nil
}

// fault is a call that was not made.
func (x *exchange) fault(err error) *connectors.Error {
	e := connectors.Permanently("%s: %w", x.name, err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Kind = connectors.Temporary
	}
	return e
}

// explain adds the tool's own words to a call that failed.
func explain(err error) error {
	e := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &e
	}
	var body any
	if json.Unmarshal(answered.Body, &body) != nil {
		return &e
	}
	for _, p := range []pointer{{"detail"}, {"message"}, {"error_description"}, {"error", "message"}, {"error"}, {"title"}} {
		text, _ := p.find(body).(string)
		if text = connectors.Clean(text, 300); text != "" {
			e.Err = fmt.Errorf("%w; the answer says: %s", e.Err, text)
			break
		}
	}
	return &e
}

// checkAnswer tells the tool's success from somebody else's: a page or broken JSON comes from a proxy or was cut.
func checkAnswer(name string, a connectors.Answer) error {
	body := bytes.TrimSpace(a.Body)
	kind, _, _ := strings.Cut(strings.ToLower(a.Header.Get("Content-Type")), ";")
	if bytes.HasPrefix(body, []byte("<")) || (len(body) > 0 && isJSON(strings.TrimSpace(kind)) && !json.Valid(body)) {
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: a.Status, Err: fmt.Errorf("%s: the answer is a page or broken JSON", name)}
	}
	return nil
}

// address is a URL with expressions in its path and query.
type address struct {
	text  *mapping.SettingText
	host  string       // scheme and host as they are written
	query map[int]bool // the pieces behind the question mark
}

// fill writes values into the URL, each escaped for its part.
func (a *address) fill(ctx context.Context, in map[string]any) (string, error) {
	text, err := a.text.Fill(ctx, in, func(piece int, value string) (string, error) {
		switch {
		case a.query[piece]:
			return url.QueryEscape(value), nil
		case value == "":
			return "", errors.New("a value in the path of the URL is empty")
		default:
			return url.PathEscape(value), nil
		}
	})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme+"://"+u.Host != a.host {
		return "", errors.New("the values do not fit into the URL")
	}
	if connectors.Climbs(u) {
		return "", errors.New("a value makes a step upwards in the path of the URL")
	}
	return text, nil
}
