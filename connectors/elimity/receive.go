package elimity

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Receive reads one webhook: one event for the change request, and where it is a review submission, one for each of its
// changes after it, whose Parent is the submission. A type that is not documented is accepted as unknown.
//
// The body has a fixed schema, so a documented member of another type, or one missing that says what is to be done to
// what, is refused as *connectors.Malformed. Comments and names may be missing.
func (c *connector) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return connectors.Received{}, err
	}
	body, err := connectors.ReadObject(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	events, err := c.events(body)
	if err != nil {
		return connectors.Received{}, err
	}
	return connectors.Received{Events: events}, nil
}

// checkType refuses what is surely no JSON. What type Elimity sends is not documented.
func checkType(header string) error {
	kind, _, _ := strings.Cut(strings.ToLower(header), ";")
	kind = strings.TrimSpace(kind)
	if slices.Contains([]string{"", "text/plain", "application/octet-stream"}, kind) || strings.Contains(kind, "json") {
		return nil
	}
	return &connectors.WrongType{Advice: "the body has to be JSON as Elimity's ITSM webhook sends it, with the content type application/json"}
}

func (c *connector) events(body map[string]any) ([]connectors.Event, error) {
	var r reader
	kind := r.needed(body, "", "type")
	if r.err == nil && (len(kind) > 100 || strings.ContainsFunc(kind, func(r rune) bool { return r <= ' ' || r > '~' })) {
		r.fail("type is too long or has characters that no type has")
	}
	if r.err != nil {
		return nil, r.err
	}
	switch kind {
	case "entityRemoval":
		return c.single(&r, kind, body, r.entityRemoval(body))
	case "relationshipRemoval":
		return c.single(&r, kind, body, r.relationshipRemoval(body))
	case "attributeAssignment":
		return c.single(&r, kind, body, r.attributeAssignment(body))
	case "accessReviewSubmission":
		return c.review(&r, kind, body)
	default:
		return []connectors.Event{c.undocumented(kind, body)}, nil
	}
}

// single is a request for one change.
func (c *connector) single(r *reader, kind string, body map[string]any, ch change) ([]connectors.Event, error) {
	e := c.request(r, kind, body)
	if r.err != nil {
		return nil, r.err
	}
	ch.kind, ch.comment = kind, e.Reason
	e.Subject = connectors.Clean(ch.subject, 200)
	e.RequestID = requestID(c.name, kind, e.Data["requestedAt"], e.Data["requestedBy"], ch.identity())
	e.Dedupe = e.RequestID
	maps.Copy(e.Data, ch.data)
	e.Data[fieldEffect] = ch.effect
	return []connectors.Event{e}, nil
}

// review is a submission, followed by its changes.
func (c *connector) review(r *reader, kind string, body map[string]any) ([]connectors.Event, error) {
	e := c.request(r, kind, body)
	var changes []change
	for i, o := range r.objects(body, "relationshipChanges") {
		changes = append(changes, r.relationshipChange(o, fmt.Sprintf("relationshipChanges[%d].", i)))
	}
	additions := 0
	for _, ch := range changes {
		if ch.operation == "add" {
			additions++
		}
	}
	for i, o := range r.objects(body, "rowRemovals") {
		changes = append(changes, r.rowRemoval(o, fmt.Sprintf("rowRemovals[%d].", i)))
	}
	campaign, owner := r.text(body, "", "campaignName"), r.text(body, "", "reviewCreatedBy")
	if r.err == nil && c.config.Split && len(changes) > c.config.MaxChanges {
		r.fail("the review has %d changes, and settings.max_changes allows %d; raise it, or set settings.split to false, and replay this body", len(changes), c.config.MaxChanges)
	}
	if r.err != nil {
		return nil, r.err
	}
	e.Subject = connectors.Clean(fmt.Sprintf("%s: %d to add, %d to remove", strings.TrimSpace("access review "+campaign), additions, len(changes)-additions), 200)
	ids := identities(changes)
	e.RequestID = requestID(c.name, kind, e.Data["requestedAt"], e.Data["requestedBy"], campaign, e.Reason, slices.Sorted(slices.Values(ids)))
	e.Dedupe = e.RequestID
	review := maps.Clone(e.Data)
	review["campaignName"], review["reviewCreatedBy"] = campaign, owner
	maps.Copy(e.Data, review)
	e.Data["relationshipChanges"], e.Data["rowRemovals"] = list(body["relationshipChanges"]), list(body["rowRemovals"])
	events := []connectors.Event{e}
	if c.config.Split {
		for i, ch := range changes {
			events = append(events, part(e, review, ch, ids[i]))
		}
	}
	return events, nil
}

func list(v any) any {
	if v == nil {
		return []any{}
	}
	return connectors.AsStored(v)
}

// part is one change of a review. Where it has no comment of its own, the review's says why.
func part(of connectors.Event, review map[string]any, ch change, id string) connectors.Event {
	e := connectors.Event{
		Kind: connectors.ChangeRequested, Type: ch.kind, Parent: of.RequestID, Time: of.Time, Requester: of.Requester,
		RequestID: requestID(of.RequestID, id), Subject: connectors.Clean(ch.subject, 200),
		Reason: cmp.Or(ch.comment, of.Reason), Data: maps.Clone(review),
		Part: &connectors.Part{Body: []byte(canonical(ch.raw)), ContentType: "application/json"},
	}
	e.Dedupe = e.RequestID
	maps.Copy(e.Data, ch.data)
	e.Data["comment"], e.Data[fieldEffect] = ch.comment, ch.effect
	return e
}

// request fills in what all documented requests share. Who asked when is part of the id, so both must be there.
func (c *connector) request(r *reader, kind string, body map[string]any) connectors.Event {
	at, by, why := r.needed(body, "", "requestedAt"), r.needed(body, "", "requestedBy"), r.text(body, "", "comment")
	return connectors.Event{
		Kind: connectors.ChangeRequested, Type: kind, Time: parseTime(at), Reason: why,
		Requester: person(by),
		Data:      map[string]any{"requestedAt": at, "requestedBy": by, "comment": why},
	}
}

// person is somebody who is known by a mail address only.
func person(mail string) connectors.Person {
	return connectors.Person{Account: mail, Name: mail, Mail: mail}
}

// undocumented keeps a request of a type that is not documented, with everything it carries.
func (c *connector) undocumented(kind string, body map[string]any) connectors.Event {
	e := connectors.Event{
		Kind: unknown, Type: kind, RequestID: requestID(c.name, body), Subject: kind, Data: map[string]any{},
	}
	e.Dedupe = e.RequestID
	for name, value := range body {
		e.Data[name] = connectors.AsStored(value)
	}
	for _, f := range unknownFields {
		if v, ok := body[f.ID]; ok {
			e.Data[f.ID] = text(v)
		}
	}
	by, _ := body["requestedBy"].(string)
	at, _ := body["requestedAt"].(string)
	e.Requester, e.Time = person(by), parseTime(at)
	e.Reason, _ = body["comment"].(string)
	return e
}

// text returns a value as text: as it is, or as JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return canonical(v)
	}
}

// parseTime reads RFC 3339, with a fraction or without; zero where it is anything else, or of a year JSON cannot write.
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
