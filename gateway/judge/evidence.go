package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Ticket is the value that a rule's decision expressions see.
func Ticket(s connectors.Snapshot) map[string]any {
	fields := make(map[string]any, len(s.Fields))
	for k, v := range s.Fields {
		fields[k] = v
	}
	return map[string]any{
		"status": s.Status, "category": s.Category, "summary": s.Summary, "priority": s.Priority,
		"key": s.Ref.Key, "id": s.Ref.ID, "url": s.Ref.URL, "fields": fields,
	}
}

// Content is a digest of those parts of a ticket that matter to an approver.
func Content(s connectors.Snapshot, matters []string) string {
	parts := make([]any, 0, 2*len(matters))
	for _, field := range matters {
		var v any
		switch field {
		case "summary":
			v = s.Summary
		case "description":
			v = s.Description
		case "priority":
			v = s.Priority
		default:
			v = s.Fields[field]
		}
		parts = append(parts, field, v)
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "unreadable" // differs from every digest: in doubt, refused
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Edited tells, by its history, whether a ticket said something else than we wrote after these steps: it did where
// somebody else had edited what matters, and nobody had put it back or we written it anew.
func Edited(history []connectors.Step, matters []string) bool {
	ours := map[string]string{} // what we wrote, of fields that say something else
	for _, step := range history {
		if !slices.Contains(matters, step.Field) {
			continue
		}
		if _, edited := ours[step.Field]; !edited {
			ours[step.Field] = step.From
		}
		if step.By.Ours || step.To == ours[step.Field] {
			delete(ours, step.Field)
		}
	}
	return len(ours) > 0
}

// set gives one field of a ticket the text that a step of its history shows.
func set(ticket map[string]any, field, text string) {
	switch field {
	case "status":
		ticket["status"], ticket["category"] = text, ""
	case "summary", "priority":
		ticket[field] = text
	default:
		ticket["fields"].(map[string]any)[field] = text
	}
}

// without takes back what these steps did, field by field from the last, down to what was done by those who count.
func without(ticket map[string]any, steps []connectors.Step, counts func(connectors.Step) bool) {
	kept := map[string]bool{}
	for _, step := range slices.Backward(steps) {
		if kept[step.Field] = kept[step.Field] || counts(step); !kept[step.Field] {
			set(ticket, step.Field, step.From)
		}
	}
}

// split are the steps before a claim, and those from it on.
func (e Evidence) split(c claim) (before, after []connectors.Step) {
	history := e.Snapshot.History
	if c.step >= 0 {
		return history[:c.step], history[c.step:]
	}
	n := slices.IndexFunc(history, func(step connectors.Step) bool { return step.At.After(c.at) })
	if n < 0 {
		n = len(history)
	}
	return history[:n], history[n:]
}

// when is a ticket as it stood when a claim was made.
func (e Evidence) when(c claim) map[string]any {
	ticket := Ticket(e.Snapshot)
	_, after := e.split(c)
	if c.step >= 0 {
		after = after[1:] // without the claim itself
	}
	without(ticket, after, func(connectors.Step) bool { return false })
	return ticket
}

// written is a ticket as it stood when a claim was made, but saying what we wrote: of all that others did, only its
// status is left.
func (e Evidence) written(c claim) map[string]any {
	ticket := e.when(c)
	before, _ := e.split(c)
	without(ticket, before, func(step connectors.Step) bool { return step.By.Ours || step.Field == "status" })
	return ticket
}

func (e Evidence) lastStep() string {
	if h := e.Snapshot.History; len(h) > 0 {
		return h[len(h)-1].ID
	}
	return "none"
}
