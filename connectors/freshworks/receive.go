package freshworks

import (
	"encoding/json"
	"mime"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// SecretHeader is the header that carries a shared secret with each notice: the desks sign nothing.
const SecretHeader = "X-Drawbridge-Secret"

// Verification wants the secret header. Its values are a connection's own.
func Verification() connectors.Verification {
	return connectors.Verification{Header: &connectors.HeaderCheck{Name: SecretHeader}}
}

// maxNotice is more than a notice that holds a number needs.
const maxNotice = 64 << 10

// Receive reads a notice: a number of a ticket, or of another kind of ticket, by the name it has for each kind, plain or
// with the letters people see before it. wrapper, where set, is what the desk's own layout puts around it. It is a
// reason to read the ticket again and nothing more.
func (d *Desk) Receive(r connectors.Request, names []string, wrapper string) (connectors.Received, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return connectors.Received{}, &connectors.WrongType{Advice: "send JSON, as the desk script says"}
	}
	if len(r.Body) > maxNotice {
		return connectors.Received{}, &connectors.Malformed{Reason: "the body is larger than any notice; send the number only"}
	}
	body, err := connectors.ReadObject(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	if inner, ok := body[wrapper].(map[string]any); ok && wrapper != "" {
		body = inner
	}
	for i, name := range names {
		v, ok := body[name]
		if !ok || v == nil || v == "" {
			continue
		}
		id, called, ok := numbered(v)
		if !ok || i >= len(d.Kinds) {
			return connectors.Received{}, &connectors.Malformed{Reason: "the field " + name + " is no number of a ticket"}
		}
		k := d.Kinds[i]
		text := strconv.FormatInt(id, 10)
		ref := connectors.Ref{ID: k.Prefix + text, Key: called, URL: d.BaseURL + "/a/" + k.Path + "/" + text}
		return connectors.Received{Changes: []connectors.Change{{Ref: ref}}}, nil
	}
	return connectors.Received{}, &connectors.Malformed{Reason: "the field " + strings.Join(names, " or ") + " is missing"}
}

// numbered reads 42, "42", "#42" and "INC-42".
func numbered(v any) (id int64, called string, ok bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	digits := strings.TrimPrefix(text, "#")
	if letters, rest, found := strings.Cut(digits, "-"); found && letters != "" && strings.Trim(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		digits = rest
	}
	id, ok = number(digits)
	if !ok {
		return 0, "", false
	}
	if called = "#" + digits; digits != text {
		called = text
	}
	return id, called, true
}
