package preset

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

var _ connectors.Trier = (*sink)(nil)

const (
	shownBody   = 20000 // characters of what is sent
	shownAnswer = 4000  // of what is answered
	secretText  = "[secret]"
)

// Try sends one record as Send does, and shows the exchange. What is shown of the request was made before credentials took
// their places.
func (s *sink) Try(ctx context.Context, r connectors.Record) (connectors.Trial, error) {
	list, err := s.pieces(ctx, 0, &r, s.names(&r))
	if err != nil {
		return connectors.Trial{}, connectors.Permanently("send: %w", err)
	}
	call, body, err := s.request(ctx, list[:1])
	if err != nil {
		return connectors.Trial{}, err
	}
	t := connectors.Trial{Method: call.Method, URL: s.veiled(s.relayed(call.URL)), Header: http.Header{}, Body: s.veiled(markdown.Lines(string(body), shownBody))}
	for name, values := range call.Header {
		for _, value := range values {
			t.Header.Add(name, s.veiled(value))
		}
	}
	switch s.auth.Kind { // added after that
	case "basic", "oauth2_cc", "oauth2_jwt":
		t.Header.Set("Authorization", secretText)
	case "standard_webhooks":
		t.Header.Set("Webhook-Timestamp", "[of the call]")
		t.Header.Set("Webhook-Signature", secretText)
	}
	answer, err := s.paced(ctx, call)
	if err != nil {
		t.Meaning = s.veiled(err.Error())
		return t, nil
	}
	t.Answer, t.Tests = shown(answer), s.verdicts(answer)
	what, err := s.preset.judge(answer, s.env.Now())
	if what == taken {
		err = s.validate(answer)
	}
	t.Taken, t.Meaning = err == nil, "taken"
	switch {
	case err != nil:
		t.Meaning = err.Error()
	case s.confirms && s.id(answer) == "":
		t.Meaning = "taken, but " + s.preset.confirm.withoutID()
	}
	return t, nil
}

// veiled is a text of a request with its marks made unreadable.
func (s *sink) veiled(text string) string {
	for _, mark := range s.marks {
		text = strings.ReplaceAll(text, connectors.WholeURL(mark.(string)), secretText)
		text = strings.ReplaceAll(text, mark.(string), secretText)
	}
	return text
}

// relayed is the URL of a call at the server it goes to in place of the vendor's.
func (s *sink) relayed(address string) string {
	if s.address == nil {
		return address
	}
	if s.whole {
		return s.address.String() + "/" + address
	}
	return s.address.String() + strings.TrimPrefix(address, s.origin)
}

func shown(r *reply) *connectors.Shown {
	out := &connectors.Shown{Status: r.status, Header: http.Header{}, Body: markdown.Lines(r.hide(string(r.body)), shownAnswer)}
	for name, values := range r.header {
		for _, value := range values {
			if name == "Set-Cookie" {
				value = secretText
			}
			out.Header.Add(name, connectors.Clean(r.hide(value), 300))
		}
	}
	return out
}

// verdicts are those of every test, in the order they are looked at.
func (s *sink) verdicts(r *reply) []connectors.Verdict {
	p := s.preset
	list := []connectors.Verdict{}
	if on := p.doc.Response.DisableOn; len(on) > 0 {
		list = append(list, connectors.Verdict{Test: "disable_on: status " + numbers(on), Holds: slices.Contains(on, r.status)})
	}
	partial := []test(nil)
	if p.partial != nil {
		partial = []test{*p.partial}
	}
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"success", p.success}, {"already_done", p.alreadyDone}, {"partial", partial}, {"reauth", p.reauth}, {"pause", p.pause}, {"retry", p.retry}, {"permanent", p.permanent},
	} {
		for _, t := range group.tests {
			list = append(list, connectors.Verdict{Test: group.name + ": " + t.words(), Holds: t.holds(r)})
		}
	}
	for _, v := range s.validators {
		found, ok := v.at.find(r.json())
		list = append(list, connectors.Verdict{Test: "validator: " + valueWords(v.Path, "is", v.Values), Holds: ok && among(found, v.Values)})
	}
	return list
}

// words say what a test wants.
func (a Answer) words() string {
	var all []string
	if len(a.Status) > 0 {
		all = append(all, "status "+numbers(a.Status))
	}
	if a.Equals != nil {
		all = append(all, fmt.Sprintf("body is %q", *a.Equals))
	}
	if a.Contains != "" {
		all = append(all, fmt.Sprintf("body contains %q", a.Contains))
	}
	if a.NotContains != "" {
		all = append(all, fmt.Sprintf("body does not contain %q", a.NotContains))
	}
	for _, one := range a.JSON {
		if len(one.In) > 0 {
			all = append(all, valueWords(one.Path, "is", one.In))
		}
		if len(one.NotIn) > 0 {
			all = append(all, valueWords(one.Path, "is not", one.NotIn))
		}
	}
	return strings.Join(all, ", ")
}

func valueWords(path, is string, values []any) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = fmt.Sprint(v)
	}
	return path + " " + is + " " + strings.Join(list, " or ")
}

func numbers(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", " or "), "[]")
}
