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

// undo takes one step of the history back.
func undo(ticket map[string]any, step connectors.Step) {
	switch step.Field {
	case "status":
		ticket["status"], ticket["category"] = step.From, ""
	case "summary", "priority":
		ticket[step.Field] = step.From
	default:
		ticket["fields"].(map[string]any)[step.Field] = step.From
	}
}

func (e Evidence) lastStep() string {
	if h := e.Snapshot.History; len(h) > 0 {
		return h[len(h)-1].ID
	}
	return "none"
}
