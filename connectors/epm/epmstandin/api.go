package epmstandin

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	tokenLife = time.Hour
	maxBody   = 1 << 20
)

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	reply(w, status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// token is the client credentials grant, the account in the form.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil:
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"})
		return
	case r.PostForm.Get("grant_type") != "client_credentials":
		reply(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	case !same(r.PostForm.Get("client_id"), s.options.ClientID) || !same(r.PostForm.Get("client_secret"), s.options.ClientSecret):
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_client"})
		return
	}
	token := rand.Text()
	s.mu.Lock()
	s.tokens[token] = s.options.Now().Add(tokenLife)
	s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "scope": "urn:management:api",
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// api lets calls through that carry a good token and are not meant to fail.
func (s *Server) api(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		s.mu.Lock()
		until, known := s.tokens[token]
		s.mu.Unlock()
		if !ok || !known || !s.options.Now().Before(until) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "the access token is missing or no longer good")
			return
		}
		if s.fault(w) {
			return
		}
		if s.options.WithoutJIT {
			refuse(w, http.StatusForbidden, "the API account has no JIT permission")
			return
		}
		next(w, r)
	})
}

// texts reads a JSON object and returns its members that are texts.
func texts(w http.ResponseWriter, r *http.Request) (map[string]any, bool) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the body has to be application/json")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var members map[string]any
	if err != nil || json.Unmarshal(body, &members) != nil {
		refuse(w, http.StatusBadRequest, "the body is no JSON object")
		return nil, false
	}
	return members, true
}

// decideApplication is strict about the ten documented texts.
func (s *Server) decideApplication(w http.ResponseWriter, r *http.Request) {
	members, ok := texts(w, r)
	if !ok {
		return
	}
	d := Decision{Correlation: r.Header.Get("X-Correlation-Id")}
	for _, field := range []struct {
		name string
		to   *string
	}{
		{"itsmRequestId", &d.RequestID}, {"systemId", &d.SystemID}, {"ticketId", &d.TicketID}, {"ticketUrl", &d.TicketURL},
		{"decision", &d.Decision}, {"status", &d.Status}, {"decisionTime", &d.Time}, {"duration", &d.Duration},
		{"decisionPerformedByUser", &d.By}, {"message", &d.Message},
	} {
		text, isText := members[field.name].(string)
		if !isText || text == "" {
			refuse(w, http.StatusBadRequest, "%s has to be a text with at least one character", field.name)
			return
		}
		*field.to = text
	}
	s.answer(w, d, false, s.applicationFault(d))
}

var digits = regexp.MustCompile(`^[1-9][0-9]{0,9}$`)

func (s *Server) applicationFault(d Decision) string {
	if _, err := time.Parse(time.DateTime, d.Time); err != nil {
		return "decisionTime has to be like 2026-01-05 10:21:00"
	}
	switch {
	case d.Decision != string(Approved) && d.Decision != string(Denied):
		return "decision is Approved or Denied"
	case d.Decision == string(Approved) && d.Status != "2000", d.Decision == string(Denied) && d.Status != "2001":
		return "status does not go with decision"
	case d.Duration != "Once" && !digits.MatchString(d.Duration):
		return "duration is Once or a number of seconds"
	}
	return ""
}

// decideAdmin takes texts and nothing where the documentation allows it; only the id must be there. Names and path
// are by analogy.
func (s *Server) decideAdmin(w http.ResponseWriter, r *http.Request) {
	members, ok := texts(w, r)
	if !ok {
		return
	}
	d := Decision{Correlation: r.Header.Get("X-Correlation-Id")}
	for _, field := range []struct {
		name string
		to   *string
	}{
		{"requestId", &d.RequestID}, {"decision", &d.Decision}, {"duration", &d.Duration},
		{"decisionPerformedByUser", &d.By}, {"message", &d.Message}, {"systemId", &d.SystemID},
		{"ticketId", &d.TicketID}, {"ticketUrl", &d.TicketURL},
	} {
		switch value := members[field.name].(type) {
		case nil:
		case string:
			*field.to = value
		default:
			refuse(w, http.StatusBadRequest, "%s has to be a text", field.name)
			return
		}
	}
	fault := ""
	switch {
	case d.RequestID == "":
		fault = "requestId is missing"
	case d.Decision != string(Approved) && d.Decision != string(Denied):
		fault = "decision is Approved or Denied"
	case d.Duration != "" && !sessionLength(d.Duration):
		fault = "duration is 300 to 86400 seconds"
	}
	s.answer(w, d, true, fault)
}

func sessionLength(text string) bool {
	var n int
	_, err := fmt.Sscan(text, &n)
	return err == nil && digits.MatchString(text) && n >= 300 && n <= 86400
}

// answer applies a decision and records how it was answered.
func (s *Server) answer(w http.ResponseWriter, d Decision, admin bool, fault string) {
	status, message := http.StatusBadRequest, fault
	s.mu.Lock()
	if fault == "" {
		status, message = s.apply(d, admin)
	}
	d.Answered = status
	s.decisions = append(s.decisions, d)
	s.mu.Unlock()
	if s.cut(w) {
		return
	}
	if status != http.StatusOK {
		refuse(w, status, "%s", message)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// apply moves a request on; s.mu is held. The same decision twice is fine, another one is not, except that
// administrator rights once given can be taken back.
func (s *Server) apply(d Decision, admin bool) (status int, message string) {
	r := s.find(d.RequestID)
	if r == nil || r.Admin != admin {
		return http.StatusNotFound, "there is no such request"
	}
	to := State(d.Decision)
	revoked := admin && r.State == Approved && to == Denied
	switch {
	case r.State == to:
		return http.StatusOK, ""
	case r.State != Pending && !revoked:
		return http.StatusConflict, "the request is decided already: " + string(r.State)
	}
	r.State, r.By, r.Duration, r.DecidedAt = to, d.By, d.Duration, s.options.Now().UTC()
	r.SystemID, r.TicketID, r.TicketURL = d.SystemID, d.TicketID, d.TicketURL
	if s.options.EchoDecisions {
		s.tell(s.decidedBody(r))
	}
	return http.StatusOK, ""
}

// lookUp finds a request by its own id or by the ticket's; s.mu is held.
func (s *Server) lookUp(id string, admin bool) *Request {
	for _, r := range s.requests {
		byID := strings.EqualFold(r.ID, id) && (admin || !s.options.OnlyBySystemID)
		if r.Admin == admin && (byID || r.SystemID != "" && r.SystemID == id) {
			return r
		}
	}
	return nil
}

func (s *Server) applicationState(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.lookUp(r.PathValue("id"), false)
	if found == nil {
		refuse(w, http.StatusNotFound, "there is no such request")
		return
	}
	decision := map[string]string{"status": map[State]string{Pending: "1000", Approved: "2000", Denied: "2001"}[found.State]}
	if found.State != Pending {
		decision["decisionPerformedByUser"], decision["decisionTime"] = found.By, found.DecidedAt.Format(time.RFC3339)
	}
	reply(w, http.StatusOK, map[string]any{
		"serviceTicket":  map[string]string{"systemId": found.SystemID, "ticketId": found.TicketID, "url": found.TicketURL},
		"requestInfo":    map[string]string{"user": found.Variables["User"], "created": found.Created.Format(time.RFC3339)},
		"accessDecision": decision,
	})
}

func adminView(r *Request) map[string]any {
	view := map[string]any{
		"id": r.ID, "ticketNumber": r.Number, "userName": r.Variables["UserName"], "computerId": r.Variables["ComputerId"],
		"reason": r.Variables["Reason"], "created": r.Created.Format(time.RFC3339), "decision": r.State,
	}
	if r.State != Pending {
		view["decisionPerformedByUser"], view["decisionTime"] = r.By, r.DecidedAt.Format(time.RFC3339)
	}
	return view
}

func (s *Server) adminState(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.lookUp(r.PathValue("id"), true)
	if found == nil {
		refuse(w, http.StatusNotFound, "there is no such request")
		return
	}
	reply(w, http.StatusOK, adminView(found))
}

func (s *Server) adminList(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := []map[string]any{}
	for _, r := range s.requests {
		if r.Admin && len(data) < 200 {
			data = append(data, adminView(r))
		}
	}
	reply(w, http.StatusOK, map[string]any{"pageNumber": 1, "pageSize": 200, "totalRecordCount": len(data), "data": data})
}
