package aponostandin

import (
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrUnknown is what acting on a request that is not there ends with.
	ErrUnknown = errors.New("there is no such request")
	// ErrNotWaiting is what deciding a request ends with that takes no decision.
	ErrNotWaiting = errors.New("the request does not wait for a decision")
	// ErrNotApprover is what deciding without being asked ends with.
	ErrNotApprover = errors.New("this user is no approver of the request")
	// ErrAnswered is what answering a second time ends with.
	ErrAnswered = errors.New("this user has answered already")
)

// ApproveInPortal answers as the approver with this address would in Apono's portal or in Slack, and queues the
// webhooks that follow.
func (s *Server) ApproveInPortal(requestID, email string) error {
	return s.inPortal(requestID, email, "Approved")
}

// RejectInPortal is the same with a no.
func (s *Server) RejectInPortal(requestID, email string) error {
	return s.inPortal(requestID, email, "Rejected")
}

func (s *Server) inPortal(requestID, email, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return ErrUnknown
	}
	return s.answer(r, func(p Person) bool { return p.Email == email }, status)
}

// answer counts one approver's answer and moves the request on; s.mu is held.
func (s *Server) answer(r *Request, is func(Person) bool, status string) error {
	i := slices.IndexFunc(r.Approvals, func(a Approval) bool { return is(a.Approver) })
	switch {
	case i < 0:
		return ErrNotApprover
	case r.Approvals[i].Status != "Pending":
		return ErrAnswered
	case r.State != Pending:
		return ErrNotWaiting
	}
	r.Approvals[i].Status = status
	missing := slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.Status == "Pending" })
	switch {
	case status == "Rejected":
		r.State = Rejected
		s.tell(r, "RequestRejected")
	case r.Relation == AnyOf || !missing:
		s.grant(r)
	}
	return nil
}

// grant gives access once everybody agrees; s.mu is held.
func (s *Server) grant(r *Request) {
	r.State = Approved
	s.tell(r, "RequestApproved")
	r.State = Granted
	s.tell(r, "RequestGranted")
}

// Expire ends access that was granted, or a request that nobody decided.
func (s *Server) Expire(requestID string) error {
	return s.end(requestID, Expired, "RequestExpired", Pending, Granted, Revoking)
}

// Fail makes granting fail.
func (s *Server) Fail(requestID string) error {
	return s.end(requestID, Failed, "RequestFailed", Pending, Approved, Granted)
}

func (s *Server) end(requestID string, to State, trigger string, from ...State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	switch {
	case r == nil:
		return ErrUnknown
	case !slices.Contains(from, r.State):
		return fmt.Errorf("the request is %s", r.State)
	}
	r.State = to
	s.tell(r, trigger)
	return nil
}

// AuditEvent is a change made by an administrator.
type AuditEvent struct {
	Type                          string // what Apono would call it; default AuditLogCreated
	Action, TargetType, TargetID  string
	TargetName                    string
	Actor                         Person
	Source                        string // API, integration, Terraform, web application
	Metadata                      map[string]any
	CurrentTarget, PreviousTarget map[string]any
}

// Audit queues an audit log webhook.
func (s *Server) Audit(e AuditEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queueHook("audit", s.options.Templates.Audit, s.auditPayload(e))
}

// Anomaly queues an anomaly webhook about a request.
func (s *Server) Anomaly(requestID, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(requestID)
	if r == nil {
		return ErrUnknown
	}
	payload := s.requestPayload(r, "AnomalyDetected")
	payload["data"].(map[string]any)["anomaly"] = name
	s.queueHook("anomaly", s.options.Templates.Anomaly, payload)
	return nil
}

// IntegrationAilment is an integration that entered Warning or Error.
type IntegrationAilment struct{ ID, Name, Type, Status string }

// Integration queues an integration webhook.
func (s *Server) Integration(i IntegrationAilment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queueHook("integration", s.options.Templates.Integration, map[string]any{
		"event_type": "IntegrationStatusChanged", "event_time": s.stamp(s.options.Now()),
		"data": map[string]any{"integration": map[string]any{"id": i.ID, "name": i.Name, "type": i.Type}, "status": i.Status},
	})
}
