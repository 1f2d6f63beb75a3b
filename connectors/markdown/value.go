package markdown

import (
	"encoding/json"
	"errors"
	"strconv"
)

// Value is what a rule gives for a field as a field of plain text keeps it: text as Lines makes it, or a list of such
// texts. truth writes a yes or no as the desk does.
func Value(v any, limit int, truth func(bool) string) (any, error) {
	switch v := v.(type) {
	case []string:
		out := make([]string, 0, len(v))
		for _, one := range v {
			out = append(out, Lines(one, limit))
		}
		return out, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, one := range v {
			inner, err := Value(one, limit, truth)
			single, ok := inner.(string)
			if err != nil || !ok {
				return nil, errors.New("a list holds texts and numbers only")
			}
			out = append(out, single)
		}
		return out, nil
	case string:
		return Lines(v, limit), nil
	case bool:
		return truth(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case json.Number:
		return v.String(), nil
	case nil:
		return "", nil
	default:
		return nil, errors.New("it takes a text or a list of texts")
	}
}
