package presetstandin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

var siem = map[string]vendor{
	"logzio": {
		path: "/", kind: "application/x-ndjson", max: 10 << 20, allowed: query("token"), read: looseLines, partly: logzioLines,
		refuse: func(w http.ResponseWriter, status int, why string) {
			if status == http.StatusUnauthorized {
				why = "Logging token is not valid"
			}
			inText(w, status, why)
		},
	},
	"sentinel": {
		path: "/dataCollectionRules/dcr-11112222333344445555666677778888/streams/Custom-Apono_CL", kind: "application/json", packed: true, max: 1 << 20,
		allowed: func(s *Standin, r *http.Request) bool {
			return minted(s, r) && r.URL.RawQuery == "api-version=2023-01-01"
		},
		read: array, record: has("TimeGenerated"), answer: plain(http.StatusNoContent, "", ""),
		refuse: saying(`{"error":{"code":"InvalidRequest","message":%q}}`),
		serve: func(s *Standin, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.URL.Path != "/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token" {
				return false
			}
			s.token(w, form(body), map[string]string{
				"grant_type": "client_credentials", "client_id": "66666666-7777-8888-9999-000000000000", "client_secret": s.Key, "scope": "https://monitor.azure.com/.default",
			})
			return true
		},
	},
	"splunk-hec": {
		path: "/services/collector/event", kind: "application/json", packed: true, max: 1 << 20, allowed: header("Authorization", "Splunk "),
		read: backToBack, record: hecEvent, answer: hecTaken, serve: hecAside,
		refuse: func(w http.ResponseWriter, status int, why string) {
			code := map[int]int{400: 6, 401: 3, 403: 4, 404: 404, 503: 9}[status]
			write(w, status, "application/json", fmt.Sprintf(`{"text":%q,"code":%d}`, why, code))
		},
	},
	"datadog": {
		path: "/api/v2/logs", kind: "application/json", max: 5_000_000, allowed: header("DD-API-KEY", ""),
		read: atMost(1000, array), record: has("message", "ddsource", "service"), answer: plain(http.StatusAccepted, "application/json", "{}"),
		refuse: saying(`{"errors":[{"status":"400","title":"Bad Request","detail":%q}]}`),
	},
	"coralogix": {
		path: "/logs/v1/singles", kind: "application/json", max: 2 << 20, allowed: header("Authorization", "Bearer "),
		read: array, record: has("applicationName", "subsystemName", "text"), answer: plain(http.StatusOK, "", ""), refuse: inText,
	},
	"new-relic": {
		path: "/log/v1", kind: "application/json", packed: true, max: 1_000_000, allowed: header("Api-Key", ""),
		read: newRelicLogs, record: has("message"), answer: plain(http.StatusAccepted, "application/json", `{"requestId":"r-1"}`), refuse: saying(`{"error":%q}`),
	},
	"solarwinds": {
		path: "/v1/logs", kind: "application/octet-stream", max: 1 << 20, allowed: header("Authorization", "Bearer "),
		read: lines, record: has("event_id"), answer: plain(http.StatusAccepted, "", ""), refuse: inText,
	},
	"sumo-logic": {
		path: "/receiver/v1/http/KEY", kind: "text/plain; charset=utf-8", packed: true, max: 1 << 20, allowed: pathOnly,
		read: lines, record: has("event_id"), answer: plain(http.StatusOK, "", ""), refuse: inText,
	},
	"cortex-xsiam": {
		path: "/logs/v1/event", kind: "application/json", packed: true, max: 25 << 20, allowed: header("Authorization", ""),
		read: lines, record: has("event_id"), answer: plain(http.StatusOK, "application/json", `{"ok":"true"}`), refuse: saying(`{"error":%q}`),
	},
	"cortex-io": {
		path: "/api/v1/catalog/access/portal/custom-events", kind: "application/json", allowed: header("Authorization", "Bearer "),
		read: object, record: has("title", "type", "timestamp"), answer: plain(http.StatusOK, "application/json", `{}`), refuse: saying(`{"type":"BAD_REQUEST","message":%q}`),
	},
	"grafana-loki": {
		path: "/loki/api/v1/push", kind: "application/json", packed: true,
		allowed: func(s *Standin, r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == "12345" && password == s.Key
		},
		read: lokiStreams, record: lokiEntry, answer: plain(http.StatusNoContent, "", ""), refuse: inText,
	},
	"logpoint": {
		path: "/reopen_incident", kind: "application/json", read: object, record: func(any) string { return "" },
		answer: plain(http.StatusOK, "application/json", `{"success":true,"message":"done"}`), refuse: saying(`{"success":false,"message":%q}`),
		partly: logpointIncidents,
	},
}

// looseLines keeps what is no JSON, as a nil: Logz.io counts such lines.
func looseLines(body []byte) ([]any, string) {
	if list, why := lines(body); why == "" {
		return list, ""
	}
	return []any{nil}, ""
}

// logzioLines counts lines as malformed that have "malformed" in them, and as oversized from 500,000 bytes on.
func logzioLines(s *Standin, w http.ResponseWriter, list []any) {
	var good []any
	malformed, oversized := 0, 0
	for _, one := range list {
		record, _ := one.(map[string]any)
		switch {
		case record == nil || record["malformed"] != nil:
			malformed++
		case sizeOf(one) > 500_000:
			oversized++
		default:
			good = append(good, one)
		}
	}
	s.keep(good)
	if malformed+oversized > 0 {
		write(w, http.StatusBadRequest, "application/json", fmt.Sprintf(`{"malformedLines":%d,"successfulLines":%d,"oversizedLines":%d,"emptyLogLines":0}`, malformed, len(good), oversized))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// sizeOf is how many bytes a value has as it was sent.
func sizeOf(v any) int {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it was read from JSON
	return b.Len() - len("\n")
}

func atMost(n int, read func([]byte) ([]any, string)) func([]byte) ([]any, string) {
	return func(body []byte) ([]any, string) {
		list, why := read(body)
		if len(list) > n {
			why = "too many"
		}
		return list, why
	}
}

func hecEvent(record any) string {
	one, _ := record.(map[string]any)
	for key, value := range one {
		switch key {
		case "event":
			if value == nil || value == "" {
				return "Event field cannot be blank"
			}
		case "time":
			if _, ok := value.(float64); !ok {
				return "time is no number"
			}
		case "host", "source", "sourcetype", "index":
			if _, ok := value.(string); !ok {
				return key + " is no text"
			}
		case "fields":
			for _, field := range value.(map[string]any) {
				if _, flat := field.(string); !flat {
					return "fields are not flat"
				}
			}
		default:
			return "there is no " + key
		}
	}
	if one["event"] == nil {
		return "Event field is required"
	}
	return ""
}

// hecTaken gives an id to ask for, in case somebody does.
func hecTaken(s *Standin, w http.ResponseWriter, _ int) {
	write(w, http.StatusOK, "application/json", fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, s.Count()))
}

// hecAside answers the check of health, and acknowledges everything the second time it is asked.
func hecAside(s *Standin, w http.ResponseWriter, r *http.Request, body []byte) bool {
	switch r.URL.Path {
	case "/services/collector/health":
		write(w, http.StatusOK, "application/json", `{"text":"HEC is healthy","code":17}`)
		return true
	case "/services/collector/ack":
		var asked struct {
			Acks []int `json:"acks"`
		}
		if json.Unmarshal(body, &asked) != nil || len(asked.Acks) != 1 || r.URL.Query().Get("channel") == "" || r.Header.Get("Authorization") != "Splunk "+s.Key {
			s.vendor.refuse(w, http.StatusBadRequest, "Data channel is missing")
			return true
		}
		s.mu.Lock()
		s.given++
		indexed := s.given > 1
		s.mu.Unlock()
		write(w, http.StatusOK, "application/json", fmt.Sprintf(`{"acks":{"%d":%t}}`, asked.Acks[0], indexed))
		return true
	}
	return false
}

func newRelicLogs(body []byte) ([]any, string) {
	var list []struct {
		Common map[string]any `json:"common"`
		Logs   []any          `json:"logs"`
	}
	if json.Unmarshal(body, &list) != nil || len(list) != 1 {
		return nil, "no list with logs"
	}
	return list[0].Logs, ""
}

func lokiStreams(body []byte) ([]any, string) {
	var push struct {
		Streams []struct {
			Stream map[string]string `json:"stream"`
			Values []any             `json:"values"`
		} `json:"streams"`
	}
	if json.Unmarshal(body, &push) != nil || len(push.Streams) == 0 {
		return nil, "no streams"
	}
	var all []any
	for _, one := range push.Streams {
		if len(one.Stream) == 0 {
			return nil, "at least one label is required"
		}
		all = append(all, one.Values...)
	}
	return all, ""
}

func lokiEntry(record any) string {
	pair, _ := record.([]any)
	if len(pair) != 2 {
		return "an entry is time and line"
	}
	stamp, isText := pair[0].(string)
	if _, isLine := pair[1].(string); !isText || !isLine || len(stamp) != 19 {
		return "the time is a text of nanoseconds, the line a text"
	}
	return ""
}

// logpointIncidents says by its body, never by its status, whether it worked.
func logpointIncidents(s *Standin, w http.ResponseWriter, list []any) {
	one, _ := list[0].(map[string]any)
	asked, _ := one["requestData"].(map[string]any)
	ids, _ := asked["incident_ids"].([]any)
	if one["username"] != "drawbridge" || one["secret_key"] != s.Key || asked["version"] != "0.1" || len(ids) == 0 || ids[0] == "unknown" {
		write(w, http.StatusOK, "application/json", `{"success":false,"message":"no such incident"}`)
		return
	}
	s.keep(list)
	write(w, http.StatusOK, "application/json", `{"success":true,"message":"done"}`)
}
