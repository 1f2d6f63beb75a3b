package presetstandin

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// vendors are the intakes, by the name of what they are usually called.
var vendors = map[string]vendor{
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
		text, err := json.Marshal(one)
		record, _ := one.(map[string]any)
		switch {
		case err != nil || record == nil || record["malformed"] != nil:
			malformed++
		case len(text) > 500_000:
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
