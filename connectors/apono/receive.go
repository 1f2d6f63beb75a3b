package apono

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Receive reads one webhook. Apono has no fixed schema: the body is a template the customer typed, so variables are
// found by their documented names, nested as in the payload or joined by _ as in the vendor's own templates, or where
// settings.fields says. What is absent, empty or still {{variable}} is left out of the event's data.
//
// The kind is that of event_type. A webhook whose event_type Apono does not document says it in its URL, which only the
// customer types: ?webhook=manual, audit, anomaly or integration. An audit log event is also known by its variables.
//
// An access request belongs to the case of its id. A template without the id makes an event without a case; one that
// names the id and leaves it empty is refused. Anomalies and ailing integrations belong to a case where the template
// names request_id, because their payloads are not documented and any id in them could be another thing's.
func (s *source) Receive(_ context.Context, r connectors.Request) (connectors.Received, error) {
	if err := checkType(r.Header.Get("Content-Type")); err != nil {
		return connectors.Received{}, err
	}
	v, err := s.read(r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	hook := ""
	if r.URL != nil {
		hook = r.URL.Query().Get("webhook")
	}
	kind, asks, err := s.classify(v, hook)
	if err != nil {
		return connectors.Received{}, err
	}
	event, err := v.event(kind, r.Body)
	if err != nil {
		return connectors.Received{}, err
	}
	if asks && event.RequestID == "" {
		return connectors.Received{}, malformed(`a manual webhook has to say which request it asks about; its template needs "id": "{{data.id}}"`)
	}
	return connectors.Received{Events: []connectors.Event{event}, Reply: s.reply(asks)}, nil
}

// checkType refuses what is surely no JSON. A missing or plain type is fine, as the customer may set headers.
func checkType(header string) error {
	kind, _, _ := strings.Cut(strings.ToLower(header), ";")
	kind = strings.TrimSpace(kind)
	if kind == "" || kind == "text/plain" || kind == "application/octet-stream" || strings.Contains(kind, "json") {
		return nil
	}
	return &connectors.WrongType{Advice: "the webhook's body has to be JSON: in Apono, on the webhook's page, make the Body Template a JSON object and remove any Content-Type from its headers"}
}

// classify tells the kind of event, and whether Apono waits for the answer.
func (s *source) classify(v *values, hook string) (kind string, asks bool, err error) {
	known := s.types[foldType(v.text[vEventType])]
	switch hook {
	case "audit":
		return connectors.Audit, false, nil
	case "anomaly":
		return connectors.Anomaly, false, nil
	case "integration":
		return connectors.IntegrationWarning, false, nil
	case manual:
		if known != "" && known != manual && known != connectors.AccessRequested {
			return "", false, malformed("event_type is no request that waits, and the webhook's URL says that it asks; give manual webhooks a URL of their own")
		}
		return connectors.AccessRequested, true, nil
	case "", "request":
	default:
		return "", false, malformed("webhook in the URL is request, manual, audit, anomaly or integration")
	}
	switch {
	case known == manual:
		return connectors.AccessRequested, true, nil
	case known != "":
		return known, false, nil
	case v.has(vAction) && (v.has(vActorID) || v.has(vActorName)) && (v.has(vTargetID) || v.has(vTargetType)):
		return connectors.Audit, false, nil
	case !v.has(vEventType):
		return "", false, malformed(`event_type is missing or was not filled in; the template needs "event_type": "{{event_type}}"`)
	default:
		return "", false, malformed("event_type is none that Apono documents; say what it means in settings.types, or add ?webhook=manual, audit, anomaly or integration to the webhook's URL")
	}
}

// event puts the variables into the words rules share.
func (v *values) event(kind string, body []byte) (connectors.Event, error) {
	of := familyOf(kind)
	e := connectors.Event{Kind: kind, Type: v.text[vEventType], Data: v.data(of)}
	e.Time, _ = parseTime(v.first(vEventTime, vTimestamp))
	var err error
	switch of {
	case audits:
		e.Requester = person(v.text[vActorID], v.text[vActorName], "")
		if strings.Contains(e.Requester.Account, "@") {
			e.Requester.Mail = e.Requester.Account
		}
		e.Subject = v.line(vAction, vTargetType, vTargetName)
	case integrations:
		e.RequestID = v.text[vRequestID]
		e.Subject = v.line(vIntegrationName, vStatus)
	default:
		e.RequestID = v.text[vRequestID]
		if of == requests {
			e.RequestID, err = v.requestID()
		}
		e.Requester = person(v.text[vRequesterID], v.text[vRequesterName], v.text[vRequesterEmail])
		e.Reason = v.text[vJustification]
		e.Subject = v.asked()
	}
	if err != nil {
		return connectors.Event{}, err
	}
	switch kind {
	case connectors.AccessApproved:
		e.Decision = v.told(connectors.Approved, e.Time)
	case connectors.AccessDenied:
		e.Decision = v.told(connectors.Denied, e.Time)
	}
	e.Dedupe, err = v.identity(e, of, body)
	return e, err
}

// requestID is the id of an access request, empty where the template does not carry it.
func (v *values) requestID() (string, error) {
	switch {
	case v.has(vID) && v.has(vRequestID) && v.text[vID] != v.text[vRequestID]:
		return "", malformed("id and request_id differ; name the right one in settings.fields")
	case !v.has(vID) && !v.has(vRequestID) && (v.sources[vID].set || v.sources[vRequestID].set):
		return "", malformed(`the request's id was not filled in; the template needs "id": "{{data.id}}"`)
	}
	return v.first(vID, vRequestID), nil
}

// person fills the gaps between what a template may carry of somebody. A name alone is no account: people choose it.
func person(id, name, mail string) connectors.Person {
	return connectors.Person{Account: cmp.Or(id, mail), Name: cmp.Or(name, mail, id), Mail: mail}
}

// told is what a decision at Apono says. When it was made is not documented apart from the event's own time.
func (v *values) told(outcome connectors.Outcome, at time.Time) *connectors.Told {
	told := &connectors.Told{Outcome: outcome, By: v.deciders(outcome), At: at}
	seconds, ok := number.convert(v.text[vDuration]).(float64)
	if outcome == connectors.Approved && ok && seconds > 0 && seconds < float64(1<<33) {
		told.Duration.Length = time.Duration(seconds) * time.Second
	}
	return told
}

// deciders are those whose approval says the same as the outcome, the names of all where there are several. An approver
// without a status is left out: of those who were asked, it need not be the one who answered.
func (v *values) deciders(outcome connectors.Outcome) connectors.Person {
	listed, ok := v.whole[vApprovals].([]any)
	if !ok {
		if knownStatuses[strings.ToLower(v.text[vApprovalStatus])] != outcome {
			return connectors.Person{}
		}
		return person(v.text[vApproverID], v.text[vApproverName], v.text[vApproverEmail])
	}
	var people []connectors.Person
	var names []string
	for _, element := range listed {
		approval, _ := element.(map[string]any)
		if knownStatuses[strings.ToLower(text(approval, "status"))] != outcome {
			continue
		}
		approver, _ := approval["approver"].(map[string]any)
		p := person(text(approver, "id"), text(approver, "name"), text(approver, "email"))
		if p.Name != "" {
			people, names = append(people, p), append(names, p.Name)
		}
	}
	if len(people) == 1 {
		return people[0]
	}
	return connectors.Person{Name: strings.Join(names, ", ")}
}

func text(members map[string]any, name string) string {
	found, _ := members[name].(string)
	return found
}

// identity is what makes two webhooks one event: Apono may send again, and gives its deliveries no id. A request is
// made once, whether its creation or a manual webhook tells of it first. An event without a request's id is known by
// its time and content.
func (v *values) identity(e connectors.Event, of family, body []byte) (string, error) {
	at := v.first(vEventTime, vTimestamp)
	if t, ok := parseTime(at); ok {
		at = t.Format(time.RFC3339Nano)
	}
	parts := []string{e.Kind, e.RequestID}
	switch {
	case of == requests && e.RequestID != "" && e.Kind == connectors.AccessRequested:
	case of == requests && e.RequestID != "":
		parts = append(parts, at)
	case at == "":
		return "", malformed(`event_time is missing or was not filled in, so a repeated event could not be told from a new one; the template needs "event_time": "{{event_time}}"`)
	default:
		digest := sha256.Sum256(body)
		parts = append(parts, at, hex.EncodeToString(digest[:16]))
	}
	identity, _ := json.Marshal(parts) // texts can always be written
	return string(identity), nil
}

func (v *values) first(list ...int) string {
	for _, i := range list {
		if v.has(i) {
			return v.text[i]
		}
	}
	return ""
}

// line joins variables to one line.
func (v *values) line(list ...int) string {
	var words []string
	for _, i := range list {
		if v.has(i) {
			words = append(words, v.text[i])
		}
	}
	return connectors.Clean(strings.Join(words, " "), 200)
}

// asked names what is asked for in one line: the first permission, and how many more there are.
func (v *values) asked() string {
	what := v.line(vResourceName)
	if what == "" {
		what = v.first(vBundleName, vIntegrationName, vFlowName)
	} else if v.has(vIntegrationName) {
		what += " in " + v.text[vIntegrationName]
	}
	if v.has(vPermissionName) && what != "" {
		what = v.text[vPermissionName] + " on " + what
	}
	if more := v.units() - 1; more > 0 && what != "" {
		what += fmt.Sprintf(" and %d more", more)
	}
	return connectors.Clean(what, 200)
}

// units counts the permissions asked for, where the body lists them.
func (v *values) units() int {
	n := 0
	groups, _ := v.whole[vAccessGroups].([]any)
	for _, element := range groups {
		group, _ := element.(map[string]any)
		units, _ := group["access_units"].([]any)
		n += len(units)
	}
	return n
}
