package servicedeskplus

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// history reads who changed what, where the settings name a call for it. The shape of its answer is not documented; what
// is not of the one shape known here fails, as does a history that does not lead to the status the request has.
func (c *connector) history(ctx context.Context, at string, r request) ([]connectors.Step, error) {
	if c.conf.History == "" {
		return nil, nil
	}
	changes, err := parts[change](ctx, c, "read history", at+"/"+c.conf.History, "history")
	if err != nil {
		return nil, below(err)
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		return cmp.Or(a.Time.Compare(b.Time.Time), byNumber(string(a.ID), string(b.ID)))
	})
	out := []connectors.Step{}
	status := ""
	for _, one := range changes {
		if one.ID == "" || one.Time.IsZero() {
			return nil, connectors.Temporarily("read history: an entry has no id or time")
		}
		for n, d := range one.Diff {
			if d.Field == "" {
				return nil, connectors.Temporarily("read history: a change names no field")
			}
			step := connectors.Step{
				ID: fmt.Sprintf("%s/%d", one.ID, n), At: one.Time.Time, By: c.account(one.By), Field: stepField(d.Field), From: stepValue(d.Old), To: stepValue(d.New),
			}
			if step.Field == "status" {
				status = step.To
			}
			out = append(out, step)
		}
	}
	if status != "" && !strings.EqualFold(status, r.Status.name()) {
		return nil, connectors.Temporarily("read history: it does not lead to the status the request has")
	}
	return out, nil
}

// stepField names a field as snapshots do.
func stepField(name string) string {
	if name == "subject" {
		return "summary"
	}
	return strings.TrimPrefix(name, "udf_fields.")
}

func stepValue(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	if v := simpleValue(raw); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}
