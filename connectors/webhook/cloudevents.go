package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// CloudEvents 1.0 over HTTP. Whatever mode an event arrives in, paths lead into its structured form: /type, /source and
// /subject are attributes, extensions stand beside them, and /data is what the event is about.
// https://github.com/cloudevents/spec, bindings/http-protocol-binding.md, formats/json-format.md, http-webhook.md

// structured is the media type of one event in its structured form.
const structured = "application/cloudevents+json"

const cloudEventsAdvice = "the body has to be a CloudEvent: application/cloudevents+json, application/cloudevents-batch+json, or any type with ce- headers"

// cloudEvents reads the events of a request in any of the three modes.
func (s *source) cloudEvents(r connectors.Request) ([]message, error) {
	kind, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	switch kind = strings.TrimSpace(kind); {
	case kind == structured:
		body, err := object(r.Body)
		if err != nil {
			return nil, err
		}
		m, err := cloudEvent(body)
		return []message{m}, err
	case kind == "application/cloudevents-batch+json":
		return s.batch(r.Body)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, &connectors.WrongType{Advice: cloudEventsAdvice}
	case !isBinary(r.Header):
		return nil, &connectors.WrongType{Advice: cloudEventsAdvice}
	default:
		m, err := binary(r, kind)
		return []message{m}, err
	}
}

func (s *source) batch(body []byte) ([]message, error) {
	v, err := parse(body)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		return nil, malformed("a batch of CloudEvents is a list")
	case len(list) > s.config.MaxBatch:
		return nil, malformed("the batch has more events than settings.max_batch allows")
	}
	parts, err := split(body, len(list))
	if err != nil {
		return nil, err
	}
	messages := make([]message, len(list))
	for i, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, ofBatch(malformed("it is no object"), i, len(list))
		}
		if messages[i], err = cloudEvent(fields); err != nil {
			return nil, ofBatch(err, i, len(list))
		}
		messages[i].part = &connectors.Part{Body: parts[i], ContentType: structured}
	}
	return messages, nil
}

// split gives the bytes of each event of a batch.
func split(body []byte, n int) ([]json.RawMessage, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &parts); err != nil || len(parts) != n {
		return nil, malformed("the batch cannot be taken apart")
	}
	return parts, nil
}

// cloudEvent checks an event in its structured form. Attributes that are null count as absent.
func cloudEvent(e map[string]any) (message, error) {
	for name, v := range e {
		if v == nil && name != "data" {
			delete(e, name)
		}
	}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if text, ok := e[name].(string); !ok || text == "" {
			return message{}, malformed("%s is missing or is no text", name)
		}
	}
	for _, name := range []string{"subject", "time", "datacontenttype", "dataschema"} {
		if v, there := e[name]; there {
			if text, ok := v.(string); !ok || text == "" {
				return message{}, malformed("%s is empty or is no text", name)
			}
		}
	}
	if e["specversion"] != "1.0" {
		return message{}, malformed("specversion is not 1.0")
	}
	id, err := plainID("id", e["id"].(string), eventBytes)
	if err != nil {
		return message{}, err
	}
	source, err := plainID("source", e["source"].(string), sourceBytes)
	if err != nil {
		return message{}, err
	}
	if err := checkForms(e); err != nil {
		return message{}, err
	}
	return message{body: e, dedupe: joined(source, id)}, unpack(e)
}

// checkForms checks what has a form of its own.
func checkForms(e map[string]any) error {
	for _, name := range []string{"source", "dataschema"} {
		text, there := e[name].(string)
		u, err := url.Parse(text)
		if there && (err != nil || (name == "dataschema" && !u.IsAbs())) {
			return malformed("%s is no URI", name)
		}
	}
	if at, there := e["time"]; there {
		if _, ok := rfc3339.parse(at); !ok {
			return malformed("time is not RFC 3339")
		}
	}
	return nil
}

// unpack puts packed data that is JSON where it would stand otherwise.
func unpack(e map[string]any) error {
	packed, there := e["data_base64"]
	if !there {
		return nil
	}
	if _, twice := e["data"]; twice {
		return malformed("data and data_base64 exclude each other")
	}
	text, ok := packed.(string)
	content, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return malformed("data_base64 is not base64")
	}
	kind, _ := e["datacontenttype"].(string)
	kind, _, _ = strings.Cut(strings.ToLower(kind), ";")
	if !isJSON(strings.TrimSpace(kind)) {
		return nil
	}
	delete(e, "data_base64")
	e["data"], err = parse(content)
	return err
}

// isBinary tells whether all attributes an event must have are there as headers.
func isBinary(h http.Header) bool {
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type"} {
		if h.Get(name) == "" {
			return false
		}
	}
	return true
}

// attribute is the header of an attribute. Names of other letters are no attributes.
var attribute = regexp.MustCompile(`^Ce-([A-Za-z0-9]+)$`)

// binary brings an event whose attributes are headers to its structured form.
func binary(r connectors.Request, kind string) (message, error) {
	e := map[string]any{}
	for header := range r.Header {
		found := attribute.FindStringSubmatch(http.CanonicalHeaderKey(header))
		if found == nil {
			continue
		}
		name := strings.ToLower(found[1])
		if name == "data" || name == "datacontenttype" {
			return message{}, malformed("header %s is not allowed: it says what the body and Content-Type say", header)
		}
		text, err := one(r.Header, header)
		if err != nil {
			return message{}, err
		}
		if e[name], err = headerText(name, text); err != nil {
			return message{}, err
		}
	}
	if kind != "" {
		e["datacontenttype"] = r.Header.Get("Content-Type")
	}
	if len(r.Body) > 0 {
		if err := addData(e, kind, r.Body); err != nil {
			return message{}, err
		}
	}
	return cloudEvent(e)
}

func addData(e map[string]any, kind string, body []byte) (err error) {
	switch {
	case kind == "" || isJSON(kind):
		e["data"], err = parse(body)
	case utf8.Valid(body) && !bytes.ContainsRune(body, 0):
		e["data"] = string(body)
	default:
		e["data_base64"] = base64.StdEncoding.EncodeToString(body)
	}
	return err
}

// quoted is a text in double quotes, in which a backslash stands before what is meant as it is. Older senders write
// header values so.
var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)

var backslashed = regexp.MustCompile(`\\(.)`)

// headerText undoes the quoting and one round of the percent-encoding of a header's value.
func headerText(name, text string) (string, error) {
	text = quoted.ReplaceAllStringFunc(text, func(q string) string {
		return backslashed.ReplaceAllString(q[1:len(q)-1], "$1")
	})
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out = append(out, text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", badHeader(name)
		}
		b, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", badHeader(name)
		}
		out = append(out, byte(b))
		i += 2
	}
	if !utf8.Valid(out) {
		return "", badHeader(name)
	}
	return string(out), nil
}

func badHeader(name string) error {
	return malformed("header ce-%s is not percent-encoded UTF-8", connectors.Clean(name, 60))
}

// origin is a name of a sending system, as the handshake carries it.
var origin = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// handshake answers a sender that asks whether it may send here. It has shown its credentials before, so every origin
// may unless settings.handshake names some. Nobody is called back: the answer is here.
func (s *source) handshake(h http.Header) connectors.Response {
	out := connectors.Response{Status: http.StatusNoContent, Header: allowPost()}
	asked := h.Values("WebHook-Request-Origin")
	if len(asked) == 0 {
		return out
	}
	if len(asked) > 1 || !origin.MatchString(asked[0]) || !s.config.Handshake.allows(asked[0]) {
		out.Status = http.StatusForbidden
		return out
	}
	rate := "*"
	if s.config.Handshake.Rate > 0 {
		rate = fmt.Sprint(s.config.Handshake.Rate)
	}
	out.Status = http.StatusOK
	out.Header.Set("WebHook-Allowed-Origin", asked[0])
	out.Header.Set("WebHook-Allowed-Rate", rate)
	return out
}

func (h Handshake) allows(name string) bool {
	for _, one := range h.Origins {
		if strings.EqualFold(one, name) {
			return true
		}
	}
	return len(h.Origins) == 0
}
