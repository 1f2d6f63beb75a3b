package slackstandin

import "fmt"

// blockFault tells what Slack would not take of a message's blocks, as far as its limits are known.
func blockFault(blocks []map[string]any) string {
	if len(blocks) > 50 {
		return "too many blocks"
	}
	for _, b := range blocks {
		fault := ""
		switch b["type"] {
		case "section":
			fault = textFault(b["text"], 3000)
		case "context":
			for _, e := range list(b["elements"]) {
				if fault == "" {
					fault = textFault(e, 3000)
				}
			}
		case "input":
			fault = textFault(b["label"], 2000)
		case "actions":
			fault = buttonsFault(list(b["elements"]))
		default:
			fault = fmt.Sprintf("block type %v", b["type"])
		}
		if fault != "" {
			return fault
		}
	}
	return ""
}

func buttonsFault(elements []any) string {
	ids := map[any]bool{}
	for _, e := range elements {
		button, _ := e.(map[string]any)
		value, _ := button["value"].(string)
		switch {
		case button["type"] != "button":
			return "an element that is no button"
		case ids[button["action_id"]]:
			return "an action_id twice"
		case len(value) > 2000:
			return "a value too long"
		}
		ids[button["action_id"]] = true
		if fault := textFault(button["text"], 75); fault != "" {
			return fault
		}
	}
	if len(ids) == 0 || len(ids) > 25 {
		return "a number of elements"
	}
	return ""
}

func textFault(v any, limit int) string {
	text, _ := v.(map[string]any)
	words, _ := text["text"].(string)
	if n := len([]rune(words)); n < 1 || n > limit {
		return fmt.Sprintf("a text of %d characters", n)
	}
	return ""
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
