package presetstandin

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

var generic = map[string]vendor{
	"signed-webhook": {
		path: "/drawbridge", kind: "application/json", allowed: signed, read: object, record: has("type", "timestamp", "event_id"),
		answer: plain(http.StatusNoContent, "", ""), refuse: inText,
	},
	"cloudevents": {
		path: "/in", kind: "application/cloudevents+json", allowed: header("Authorization", "Bearer "), read: object, record: cloudEvent,
		answer: plain(http.StatusNoContent, "", ""), refuse: inText,
	},
	"cloudevents-batch": {
		path: "/in", kind: "application/cloudevents-batch+json", allowed: header("Authorization", "Bearer "), read: array, record: cloudEvent,
		answer: plain(http.StatusNoContent, "", ""), refuse: inText,
	},
	"cloudevents-binary": {
		path: "/in", kind: "application/json", read: object, record: has("event_id"),
		allowed: func(s *Standin, r *http.Request) bool {
			h := r.Header
			return h.Get("Authorization") == "Bearer "+s.Key && h.Get("ce-specversion") == "1.0" && h.Get("ce-id") != "" && h.Get("ce-source") != "" && h.Get("ce-type") != "" &&
				h.Get("ce-datacontenttype") == "" && !strings.ContainsAny(h.Get("ce-subject")+h.Get("ce-id"), " \"")
		},
		answer: plain(http.StatusNoContent, "", ""), refuse: inText,
	},
	"torq": {
		path: "/v1/webhooks/0123", kind: "application/json", allowed: header("Authorization", "Bearer "), read: object,
		record: has("event_id"), answer: plain(http.StatusOK, "application/json", `{"id":"x-1"}`), refuse: saying(`{"error":%q}`),
	},
	"okta-workflows": {
		path: "/api/flo/0123456789abcdef/invoke", kind: "application/json", read: object, record: has("event_id"),
		allowed: func(s *Standin, r *http.Request) bool {
			return minted(s, r) || r.Header.Get("x-api-client-token") == s.Key && r.URL.RawQuery == ""
		},
		answer: plain(http.StatusOK, "application/json", `{}`), refuse: saying(`{"error":%q}`),
		serve: func(s *Standin, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.URL.Path != "/oauth2/v1/token" {
				return false
			}
			field := form(body)
			wants := map[string]string{
				"grant_type": "client_credentials", "scope": "okta.workflows.invoke.manage", "client_secret": "",
				"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
			}
			if strings.Count(field("client_assertion"), ".") != 2 {
				wants["client_assertion"] = "a JWT"
			}
			s.token(w, field, wants)
			return true
		},
	},
	"logic-app": {
		path: "/workflows/0123/triggers/manual/paths/invoke", kind: "application/json", allowed: query("sig"), read: object, record: has("subject", "event_id"),
		answer: plain(http.StatusAccepted, "", ""), refuse: saying(`{"error":{"message":%q}}`),
	},
}

func cloudEvent(record any) string {
	if one, _ := record.(map[string]any); one["specversion"] != "1.0" || one["data"] == nil {
		return "no CloudEvent 1.0"
	}
	return has("id", "source", "type")(record)
}

// signed checks a request as standardwebhooks.com says; the key is Key, in bytes.
func signed(s *Standin, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	if err != nil || strings.Contains(id, ".") || id == "" || stamp == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(s.Key))
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for entry := range strings.SplitSeq(r.Header.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(entry), []byte(want)) {
			return true
		}
	}
	return false
}
