package audit

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// ocsfVersion is of the schema that the events follow: https://schema.ocsf.io/1.3.0/
const ocsfVersion = "1.3.0"

// Classes and activities of OCSF that the record needs.
const (
	ocsfBase   = 0
	ocsfEntity = 3004 // Entity Management, of Identity & Access Management

	ocsfCreate = 1
	ocsfUpdate = 3
	ocsfOther  = 99
)

// ocsfEvent is one event; its fields are named as the schema names them.
type ocsfEvent struct {
	ActivityID   int           `json:"activity_id"`
	ActivityName string        `json:"activity_name"`
	CategoryUID  int           `json:"category_uid"`
	CategoryName string        `json:"category_name"`
	ClassUID     int           `json:"class_uid"`
	ClassName    string        `json:"class_name"`
	TypeUID      int           `json:"type_uid"`
	Time         int64         `json:"time"`
	SeverityID   int           `json:"severity_id"`
	Severity     string        `json:"severity"`
	StatusID     int           `json:"status_id,omitempty"`
	Message      string        `json:"message"`
	Metadata     ocsfMetadata  `json:"metadata"`
	Actor        *ocsfActor    `json:"actor,omitempty"`
	Entity       *ocsfEntityOf `json:"entity,omitempty"`
	Comment      string        `json:"comment,omitempty"`
	Unmapped     ocsfUnmapped  `json:"unmapped"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	LogName        string      `json:"log_name"`
	UID            string      `json:"uid"`
	Sequence       int64       `json:"sequence,omitempty"`
	CorrelationUID string      `json:"correlation_uid,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfUser struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name"`
}

type ocsfEntityOf struct {
	Type    string `json:"type"`
	UID     string `json:"uid,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// ocsfUnmapped is what the schema has no place for.
type ocsfUnmapped struct {
	Subject string          `json:"subject,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
	Erased  bool            `json:"erased,omitempty"`
	Digest  string          `json:"digest"`
	Chain   string          `json:"chain,omitempty"`
}

// facts are the members of an entry's content that an event has a place for.
type facts struct {
	By      string `json:"by"`
	ByName  string `json:"by_name"`
	Who     string `json:"who"`
	Author  string `json:"author"`
	Why     string `json:"why"`
	Version int64  `json:"version"`
	Verdict struct {
		By     string `json:"by"`
		ByName string `json:"by_name"`
	} `json:"verdict"`
}

// OCSF writes an entry as an event of the Open Cybersecurity Schema Framework: what somebody did to a case or document
// as Entity Management, everything else as a base event.
func OCSF(e store.Entry) ([]byte, error) {
	v := ocsfEvent{
		ActivityID: ocsfOther, ActivityName: e.Kind, CategoryName: "Uncategorized", ClassUID: ocsfBase, ClassName: "Base Event",
		Time: e.At.UnixMilli(), Message: message(e),
		Metadata: ocsfMetadata{Version: ocsfVersion, Product: ocsfProduct{"Drawbridge", "Drawbridge"}, LogName: "record",
			UID: e.ID, Sequence: e.N, CorrelationUID: e.CaseID},
		Unmapped: ocsfUnmapped{Subject: e.Subject, Content: contentOf(e), Erased: e.Erased(), Digest: hex.EncodeToString(e.Digest), Chain: e.Chain},
	}
	v.SeverityID, v.Severity = severity(e.Kind)
	var f facts
	_ = json.Unmarshal(contentOf(e), &f) // what does not fit has no place but unmapped
	if entity := entityOf(e, f); entity != nil {
		v.CategoryUID, v.CategoryName = 3, "Identity & Access Management"
		v.ClassUID, v.ClassName = ocsfEntity, "Entity Management"
		v.Entity, v.Actor, v.Comment = entity, f.actor(), f.Why
		v.StatusID = 1 // success
		if e.Kind == "claim.refused" || e.Kind == "decision.refused" || e.Kind == "answer.ignored" {
			v.StatusID = 2 // failure
		}
		if e.Kind == "document.published" && f.Version > 0 {
			v.ActivityID, v.ActivityName = ocsfUpdate, "Update"
			if f.Version == 1 {
				v.ActivityID, v.ActivityName = ocsfCreate, "Create"
			}
		}
	}
	v.TypeUID = v.ClassUID*100 + v.ActivityID
	return json.Marshal(v)
}

// entityOf is what an entry says somebody acted on; nil where nobody did.
func entityOf(e store.Entry, f facts) *ocsfEntityOf {
	group, _, _ := strings.Cut(e.Kind, ".")
	switch group {
	case "decision", "claim", "receipt", "answer":
		return &ocsfEntityOf{Type: "case", UID: e.CaseID}
	case "document":
		kind, name, _ := strings.Cut(e.Subject, "/")
		if kind == "" {
			kind = "document"
		}
		entity := &ocsfEntityOf{Type: strings.ToLower(kind), Name: name, UID: e.Subject}
		if f.Version > 0 {
			entity.Version = strconv.FormatInt(f.Version, 10)
		}
		return entity
	case "record":
		return &ocsfEntityOf{Type: "record", Name: "record"}
	}
	if f.Who != "" {
		return &ocsfEntityOf{Type: group, UID: e.CaseID, Name: e.Subject}
	}
	return nil
}

func (f facts) actor() *ocsfActor {
	for _, u := range []ocsfUser{{f.By, f.ByName}, {"", f.Who}, {"", f.Author}, {f.Verdict.By, f.Verdict.ByName}} {
		if u.Name == "" {
			u.Name = u.UID
		}
		if u.Name != "" {
			return &ocsfActor{u}
		}
	}
	return nil
}

// severity is informational but for what somebody should look at.
func severity(kind string) (int, string) {
	switch kind {
	case "delivery.dead", "decision.refused", "ticket.gone", "twin.found":
		return 3, "Medium"
	case "claim.refused", "event.quarantined", "answer.ignored":
		return 2, "Low"
	}
	return 1, "Informational"
}

func message(e store.Entry) string {
	text := e.Kind
	if e.Subject != "" {
		text += " " + e.Subject
	}
	if e.Erased() {
		text += " (erased)"
	}
	return text
}
