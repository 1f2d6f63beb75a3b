package presetstandin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

var incident = map[string]vendor{
	"pagerduty-events": {
		path: "/v2/enqueue", kind: "application/json", max: 512 << 10, read: object, record: nil, refuse: saying(`{"status":"invalid event","message":"Event object is invalid","errors":[%q]}`),
		partly: pagerDutyEvent,
	},
	"splunk-on-call": {
		path: "/integrations/generic/20131114/alert/KEY/security", kind: "application/json", allowed: pathOnly, read: object,
		record: func(record any) string {
			one, _ := record.(map[string]any)
			if !oneOf(one["message_type"], "CRITICAL", "WARNING", "INFO", "ACKNOWLEDGEMENT", "RECOVERY") {
				return "message_type is wrong"
			}
			return has("entity_id")(record)
		},
		answer: plain(http.StatusOK, "application/json", `{"result":"success","entity_id":"apono:req-1"}`), refuse: saying(`{"result":"failure","message":%q}`),
	},
	"zenduty": {
		path: "/integration/a1b2c3/generic/KEY/", kind: "application/json", allowed: pathOnly, read: object,
		record: func(record any) string {
			one, _ := record.(map[string]any)
			if !oneOf(one["alert_type"], "critical", "error", "warning", "info", "acknowledged", "resolved") {
				return "alert_type is wrong"
			}
			return has("message", "summary", "entity_id")(record)
		},
		answer: plain(http.StatusOK, "application/json", `{"message":"success","trace_id":"t-1"}`), refuse: saying(`{"error":%q}`),
	},
	"grafana-incident": {
		path: "/api/plugins/grafana-incident-app/resources/integrations/generic/incoming", kind: "application/json",
		allowed: func(s *Standin, r *http.Request) bool {
			q := r.URL.Query()
			return q.Get("token") == s.Key && q.Get("title") != "" && q.Get("status") == "active" && q.Get("severity") != ""
		},
		read: object, record: has("event_id"), answer: plain(http.StatusOK, "application/json", `{}`), refuse: saying(`{"error":%q}`),
	},
	"grafana-oncall": {
		path: "/integrations/v1/formatted_webhook/KEY/", kind: "application/json", allowed: pathOnly, read: object,
		record: func(record any) string {
			one, _ := record.(map[string]any)
			if !oneOf(one["state"], "alerting", "ok") {
				return "state is wrong"
			}
			return has("alert_uid", "title")(record)
		},
		answer: plain(http.StatusOK, "text/plain", "Ok."), refuse: inText,
	},
	"slack-webhook": {
		path: "/services/T000/B000/KEY", kind: "application/json", allowed: pathOnly, read: object, record: slackMessage,
		answer: plain(http.StatusOK, "text/html", "ok"), refuse: inText,
	},
	"teams-workflows": {
		path: "/workflows/0123/triggers/manual/paths/invoke", kind: "application/json", max: 28 << 10, allowed: query("sig"), read: object, record: teamsMessage,
		answer: plain(http.StatusAccepted, "", ""), refuse: saying(`{"error":{"code":"Bad","message":%q}}`),
	},
}

func oneOf(v any, allowed ...string) bool {
	text, _ := v.(string)
	return slices.Contains(allowed, text)
}

func pagerDutyEvent(s *Standin, w http.ResponseWriter, list []any) {
	one := list[0].(map[string]any)
	payload, _ := one["payload"].(map[string]any)
	summary, _ := payload["summary"].(string)
	key, _ := one["dedup_key"].(string)
	why := ""
	switch {
	case one["routing_key"] != s.Key:
		why = "Invalid routing key"
	case !oneOf(one["event_action"], "trigger", "acknowledge", "resolve"):
		why = "event_action is wrong"
	case summary == "" || utf8.RuneCountInString(summary) > 1024 || payload["source"] == nil || !oneOf(payload["severity"], "critical", "error", "warning", "info"):
		why = "payload is wrong"
	case key == "" || len(key) > 255:
		why = "dedup_key is wrong"
	}
	if why != "" {
		s.vendor.refuse(w, http.StatusBadRequest, why)
		return
	}
	s.keep(list)
	write(w, http.StatusAccepted, "application/json", fmt.Sprintf(`{"status":"success","message":"Event processed","dedup_key":%q}`, key))
}

// slackMessage refuses what would be read as a mention or a link that nobody meant.
func slackMessage(record any) string {
	one, _ := record.(map[string]any)
	text, _ := one["text"].(string)
	switch {
	case text == "" && one["attachments"] == nil && one["blocks"] == nil:
		return "no_text"
	case forged(record):
		return "a mention or a link"
	}
	return ""
}

// forged tells whether any text in a message would be read as more than text.
func forged(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsAny(v, "<>")
	case []any:
		return slices.ContainsFunc(v, forged)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), forged)
	}
	return false
}

func teamsMessage(record any) string {
	one, _ := record.(map[string]any)
	list, _ := one["attachments"].([]any)
	if one["type"] != "message" || len(list) != 1 {
		return "no message with one attachment"
	}
	attachment, _ := list[0].(map[string]any)
	card, _ := attachment["content"].(map[string]any)
	if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" || card["type"] != "AdaptiveCard" || card["version"] == nil {
		return "no adaptive card"
	}
	return ""
}
