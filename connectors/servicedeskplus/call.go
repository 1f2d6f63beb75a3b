package servicedeskplus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// input is what goes into the one form field of a call.
type input map[string]any

// call makes one call; path is what follows /api/v3/. out, where set, takes the answer.
func (c *connector) call(ctx context.Context, name, method, path string, in input, out any) (http.Header, error) {
	call := connectors.Call{Name: name, Method: method, URL: c.conf.BaseURL + "/api/v3/" + path, Header: http.Header{"Accept": {c.conf.Accept}}}
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, connectors.Permanently("%s: write request: %w", name, err)
		}
		form := url.Values{"input_data": {string(text)}}.Encode()
		if method == http.MethodGet {
			call.URL += "?" + form
		} else {
			call.Body = []byte(form)
			call.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	return c.exchange(ctx, call, out)
}

// exchange makes sure that a call went well both by its HTTP status and by what the answer says of itself.
func (c *connector) exchange(ctx context.Context, call connectors.Call, out any) (http.Header, error) {
	answer, err := c.client.Do(ctx, call)
	if err != nil {
		return nil, refused(err)
	}
	var said struct {
		Status outcomes `json:"response_status"`
	}
	if err := answer.DecodeJSON(call.Name, &said); err != nil {
		return nil, err
	}
	if !said.Status.good() {
		return nil, said.Status.failure(call.Name, answer.Status)
	}
	if out == nil {
		return answer.Header, nil
	}
	return answer.Header, answer.DecodeJSON(call.Name, out)
}

// outcome is how a call went, in ServiceDesk Plus' own words.
type outcome struct {
	Code     looseText `json:"status_code"`
	Messages []struct {
		Code   looseText `json:"status_code"`
		Field  texts     `json:"field"`
		Fields texts     `json:"fields"`
		Text   string    `json:"message"`
	} `json:"messages"`
}

// outcomes takes one outcome or, as lists give it, an array.
type outcomes []outcome

func (o *outcomes) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]outcome)(o))
	}
	var one outcome
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*o = outcomes{one}
	return nil
}

const (
	codeGood      = "2000"
	codeUnknown   = "4001"
	codeForbidden = "4002"
	codeInternal  = "4004"
	codeNotFound  = "4007"
	codeMissing   = "4012"
	codeThrottled = "4015"
	codeSignIn    = "4022"
)

// advice says what a code means.
var advice = map[string]string{
	codeUnknown: "an id or a name is not known there", codeForbidden: "the account may not do this", codeInternal: "the desk failed inside",
	"4005": "something else refers to it", codeNotFound: "there is no such thing there", "4008": "it must be unique and is not",
	"4009": "it may not be edited", codeMissing: "a mandatory field is missing", "4014": "a field is read-only", codeThrottled: "too many calls",
	"4016": "the times do not fit", "4021": "a value has the wrong type", codeSignIn: "the key or token was refused", "7001": "the licence allows no more",
}

func (o outcomes) good() bool {
	return len(o) > 0 && !slices.ContainsFunc(o, func(one outcome) bool { return one.Code != codeGood })
}

// code is the most exact code there is, and empty where nothing was said. General codes have exact ones in their messages.
func (o outcomes) code() string {
	found := ""
	for _, one := range o {
		for _, m := range one.Messages {
			if _, known := advice[string(m.Code)]; known {
				return string(m.Code)
			}
		}
		if one.Code != codeGood && found == "" {
			found = string(one.Code)
		}
	}
	return found
}

// plainName is a field as fields are called; anything else is not repeated.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9_.]{0,60}$`)

// fields are the fields an answer complains of.
func (o outcomes) fields() []string {
	var out []string
	for _, one := range o {
		for _, m := range one.Messages {
			for _, name := range append(m.Field, m.Fields...) {
				if plainName.MatchString(name) && !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// words say what went wrong by code and fields alone.
func (o outcomes) words() string {
	text := advice[o.code()]
	if text == "" {
		text = "the desk did not do it"
	}
	if fields := o.fields(); len(fields) > 0 {
		text += ": " + connectors.Clean(strings.Join(fields, ", "), 300)
	}
	if code := o.code(); digitsOnly.MatchString(code) && len(code) < 8 {
		text += " (code " + code + ")"
	}
	return text
}

// said keeps what an answer said beside the error made of it.
type said struct {
	outcomes
	text string
}

func (s *said) Error() string { return s.text }

// failure is what a success by its HTTP status means that says of itself it is none.
func (o outcomes) failure(name string, status int) error {
	if len(o) == 0 {
		return &connectors.Error{Kind: connectors.Temporary, Sent: true, Status: status, Err: fmt.Errorf("%s: the answer does not say how it went", name)}
	}
	e := &connectors.Error{Kind: connectors.Permanent, Status: status, Err: &said{o, name + ": " + o.words()}}
	_, known := advice[o.code()]
	e.Sent = !known && o.code() != "4000"
	o.refine(e)
	return e
}

// refine gives an error the meaning its code has.
func (o outcomes) refine(e *connectors.Error) {
	switch o.code() {
	case codeInternal:
		e.Kind, e.Sent = connectors.Temporary, true
	case codeThrottled:
		e.Kind, e.Sent = connectors.Throttled, false
	case codeSignIn:
		e.Kind, e.Sent = connectors.Unwell, false
	case codeNotFound:
		if !errors.Is(e.Err, connectors.ErrNotFound) {
			e.Err = fmt.Errorf("%w: %w", e.Err, connectors.ErrNotFound)
		}
	}
}

// refused adds ServiceDesk Plus' own words to the error of an answer outside 2xx.
func refused(err error) error {
	e := *connectors.AsError(err)
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok {
		return &e
	}
	var body struct {
		Status outcomes `json:"response_status"`
	}
	if json.Unmarshal(answered.Body, &body) != nil || len(body.Status) == 0 {
		return &e
	}
	text := body.Status.words()
	for _, one := range body.Status {
		for _, m := range one.Messages {
			if m.Text != "" {
				text += "; the desk says: " + connectors.Clean(m.Text, 200)
			}
		}
	}
	e.Err = &added{err, &said{body.Status, connectors.Clean(text, 600)}}
	body.Status.refine(&e)
	return &e
}

// added is an error with the desk's words behind it.
type added struct {
	err  error
	said *said
}

func (a *added) Error() string   { return a.err.Error() + "; " + a.said.Error() }
func (a *added) Unwrap() []error { return []error{a.err, a.said} }

// toldBy returns what the answer behind an error said.
func toldBy(err error) outcomes {
	if s, ok := errors.AsType[*said](err); ok {
		return s.outcomes
	}
	return nil
}

// forbidden tells whether a call was refused because the account may not make it.
func forbidden(err error) bool {
	return err != nil && (toldBy(err).code() == codeForbidden || connectors.AsError(err).Status == http.StatusForbidden)
}

// keptNot is the failure of a change the desk took and did not make.
func keptNot(format string, args ...any) *connectors.Error {
	return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf(format, args...)}
}

// requestID is an id of ServiceDesk Plus: digits, more than a number holds.
var requestID = regexp.MustCompile(`^[1-9][0-9]{0,24}$`)

// path is the address of a request.
func path(ref connectors.Ref) (string, error) {
	if !requestID.MatchString(ref.ID) {
		return "", connectors.Permanently("the ticket's id is not one of ServiceDesk Plus")
	}
	return "requests/" + ref.ID, nil
}

// request reads a request. One in the trash is not there.
func (c *connector) request(ctx context.Context, path string) (request, error) {
	var answer struct{ Request request }
	if _, err := c.call(ctx, "read request", http.MethodGet, path, nil, &answer); err != nil {
		return request{}, connectors.Unsent(err)
	}
	if !requestID.MatchString(string(answer.Request.ID)) {
		return request{}, connectors.Temporarily("read request: the answer is no request")
	}
	if answer.Request.Trashed {
		return request{}, connectors.Permanently("read request: it lies in the trash: %w", connectors.ErrNotFound)
	}
	return answer.Request, nil
}

// below marks the failure of reading what belongs to a request that was just read: its absence says nothing of the
// request.
func below(err error) error {
	if err == nil {
		return nil
	}
	e := *connectors.AsError(err)
	e.Sent = false
	if errors.Is(err, connectors.ErrNotFound) {
		e.Kind, e.Err = connectors.Temporary, fmt.Errorf("the request is there, what belongs to it is not: %s", err)
	}
	return &e
}
