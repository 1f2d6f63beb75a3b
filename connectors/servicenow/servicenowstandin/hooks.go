package servicenowstandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// notify queues what the business rules send about a change of a ticket or an approval by somebody else than the account.
func (s *Server) notify(table string, r row, by string) {
	if s.o.HookURL == "" || by == s.o.Account {
		return
	}
	ticket, event := r, "ticket.changed"
	if table == "sysapproval_approver" {
		ticket, event = s.find("task", r["sysapproval"]), "approval.changed"
	}
	if ticket == nil || ticket["sys_created_by"] != s.o.Account {
		return
	}
	body, err := json.Marshal(map[string]string{
		"event": event, "table": ticket["sys_class_name"], "sys_id": ticket["sys_id"], "number": ticket["number"],
		"event_id": r["sys_id"] + ":" + r["sys_mod_count"],
	})
	if err != nil {
		panic(fmt.Sprintf("servicenowstandin: encode notice: %v", err)) // texts always encode
	}
	s.Queue(func(ctx context.Context, _ int) (*http.Request, error) { return s.Notice(ctx, body) })
}

// Notice is a request as the desk script sends it, signed now.
func (s *Server) Notice(ctx context.Context, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.HookURL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(s.o.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.o.HookSecret))
	fmt.Fprintf(mac, "%s.%s", at, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Drawbridge-Timestamp", at)
	req.Header.Set("X-Drawbridge-Signature", "sha256="+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return req, nil
}
