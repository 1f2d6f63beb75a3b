package pagerduty

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	pd "github.com/drawbridge-itsm/drawbridge/connectors/pagerduty/pagerdutystandin"
)

func TestRequestsAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	var ref connectors.Ref
	var cursor connectors.Cursor
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"ping", func() error { return w.Ping(t.Context()) }},
		{"create", func() (err error) { ref, err = w.Create(t.Context(), "k1", request()); return err }},
		{"find", func() error { _, err := w.Find(t.Context(), "k1"); return err }},
		{"update", func() error {
			return w.Update(t.Context(), ref, connectors.Ticket{Summary: "new", Priority: "p1", Fields: map[string]any{"urgency": "high", "approval": nil, "reviewed": true}})
		}},
		{"comment", func() error {
			return w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "**Refused:** not yours\n\n- one"})
		}},
		{"transition", func() error {
			return w.Transition(t.Context(), ref, connectors.Move{Status: "Resolved", Fields: map[string]any{"resolution": "granted", "approval": "Approved"}})
		}},
		{"reopen", func() error { return w.Transition(t.Context(), ref, connectors.Move{Status: "triggered"}) }},
		{"fetch", func() error {
			connectortest.Must(t, w.desk.Set(ref.ID, "PKIM", "approval", "Declined"))
			_, err := w.Fetch(t.Context(), ref)
			return err
		}},
		{"watch-begin", func() (err error) { _, cursor, err = w.Watch(t.Context(), "", nil); return err }},
		{"watch", func() error {
			w.time.Advance(30 * time.Second)
			_, _, err := w.Watch(t.Context(), cursor, []connectors.Ref{ref, {ID: "Q9"}})
			return err
		}},
		{"describe", func() error {
			w.time.Advance(time.Hour)
			_, err := w.Describe(t.Context(), connectors.Place{Project: "PACCESS"})
			return err
		}},
		{"people", func() error { _, _, err := w.People(t.Context(), ""); return err }},
		{"groups", func() error { _, err := w.Groups(t.Context(), "PKIM"); return err }},
	} {
		w.tape.Take()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		connectortest.Golden(t, step.name, w.tape.Take())
	}
	one, _ := w.desk.Incident(ref.ID)
	if one.Title != "new" || one.Priority != "P1" || one.Urgency != "high" || one.Details != "Reason: I need <it>" || !slices.Equal(one.Notes, []string{"Refused: not yours\n\n- one\n\ndrawbridge-note:n1"}) {
		t.Errorf("the incident is %+v", one)
	}
}

func TestACreateWhoseAnswerWasLostLeavesOneIncident(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, time.Minute} {
		w := newWorld(t, pd.Options{Lag: lag})
		ticket := request()
		action := connectors.Action{Kind: connectors.Create, Key: "k1", Ticket: &ticket}
		w.desk.Faults.CutNext("create")
		if _, err := connectors.Do(t.Context(), w.connector, action); err == nil || !connectors.AsError(err).Sent {
			t.Fatalf("got %v, want the create in doubt", err)
		}
		if lag > 0 { // PagerDuty refuses the second, and the list does not show the first yet
			_, err := connectors.Do(t.Context(), w.connector, action)
			if e := connectors.AsError(err); err == nil || e.Kind != connectors.Temporary || !e.Sent || len(w.desk.Incidents()) != 1 {
				t.Fatalf("got %v, want the create in doubt", err)
			}
			w.time.Advance(lag)
		}
		done, err := connectors.Do(t.Context(), w.connector, action)
		connectortest.Must(t, err)
		if len(w.desk.Incidents()) != 1 || done.Ref.ID != w.desk.Incidents()[0].ID {
			t.Errorf("lag %s: %+v, %d incidents", lag, done, len(w.desk.Incidents()))
		}
	}
}

func TestAnOpenIncidentWithOurKeyIsTakenForTheCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	first := w.create(t, "k1")
	second := w.create(t, "k1")
	if first != second || len(w.desk.Incidents()) != 1 {
		t.Errorf("%v and %v", first, second)
	}
	connectortest.Must(t, w.desk.Move(first.ID, "PKIM", "resolved"))
	if third := w.create(t, "k1"); third.ID == first.ID || !cmp.Equal(w.find(t, "k1"), []string{first.ID, third.ID}) {
		t.Errorf("after a resolve: %v, %v", third, w.find(t, "k1"))
	}
}

func TestACreateSaysWhereCustomFieldsWereNotSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	w.desk.Faults.FailOn("set", 1, http.StatusInternalServerError, nil)
	_, err := w.Create(t.Context(), "k1", request())
	if err == nil || !connectors.AsError(err).Sent || !strings.Contains(err.Error(), "#1 was opened, its custom fields were not set") {
		t.Errorf("create = %v", err)
	}
}

func TestWhatIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	ref := w.create(t, "k1")
	for name, tc := range map[string]struct {
		change func(*connectors.Ticket)
		want   string
	}{
		"no summary":       {func(t *connectors.Ticket) { t.Summary = "" }, "summary"},
		"no service":       {func(t *connectors.Ticket) { t.Project = "" }, "service"},
		"another service":  {func(t *connectors.Ticket) { t.Project = "Nope" }, "Access requests, Web shop"},
		"another priority": {func(t *connectors.Ticket) { t.Priority = "Highest" }, "P1, P2"},
		"urgency":          {func(t *connectors.Ticket) { t.Fields = map[string]any{"urgency": "huge"} }, "high or low"},
		"policy":           {func(t *connectors.Ticket) { t.Fields = map[string]any{"escalation_policy": "a/b"} }, "escalation_policy"},
		"both": {func(t *connectors.Ticket) {
			t.Fields = map[string]any{"escalation_policy": "PPOLICY", "assignee": "PKIM"}
		}, "exclude"},
		"no such field":  {func(t *connectors.Ticket) { t.Fields = map[string]any{"nope": 1} }, `"nope"`},
		"no such option": {func(t *connectors.Ticket) { t.Fields = map[string]any{"approval": "Maybe"} }, "Approved, Declined"},
		"no number":      {func(t *connectors.Ticket) { t.Fields = map[string]any{"seats": "many"} }, "integer"},
		"no truth":       {func(t *connectors.Ticket) { t.Fields = map[string]any{"reviewed": "perhaps"} }, "boolean"},
		"a list for one": {func(t *connectors.Ticket) { t.Fields = map[string]any{"department": []any{"a"}} }, "one value"},
		"the answer":     {func(t *connectors.Ticket) { t.Fields = map[string]any{"answer": "Approved"} }, "not set as a field"},
		"a resolution":   {func(t *connectors.Ticket) { t.Fields = map[string]any{"resolution": "x"} }, "resolved"},
	} {
		ticket := request()
		tc.change(&ticket)
		_, err := w.Create(t.Context(), "k2", ticket)
		connectortest.Refused(t, err, tc.want)
		_ = name
	}
	connectortest.Refused(t, w.Update(t.Context(), ref, connectors.Ticket{Description: "x"}), "details")
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Body: "x", Public: true}), "public")
	connectortest.Refused(t, w.Comment(t.Context(), ref, connectors.Note{Body: " "}), "empty")
	connectortest.Refused(t, w.Transition(t.Context(), ref, connectors.Move{Status: "Approved"}), "triggered, acknowledged, resolved")
	connectortest.Refused(t, w.Transition(t.Context(), connectors.Ref{ID: "../x"}, connectors.Move{Status: "resolved"}), "id")
	for _, key := range []string{"", "a&incident_key=b", "a b", strings.Repeat("k", 201), "a\nb"} {
		_, err := w.Find(t.Context(), key)
		connectortest.Refused(t, err, "key")
	}
	if len(w.desk.Incidents()) != 1 {
		t.Errorf("%d incidents", len(w.desk.Incidents()))
	}
}

func TestLongTextsAreCutOnARune(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{}, func(c *Config) { c.NoteLimit = 200 })
	ticket := request()
	ticket.Summary, ticket.Description = strings.Repeat("ü", 3000), strings.Repeat("ß", 30000)
	ref, err := w.Create(t.Context(), "k1", ticket)
	connectortest.Must(t, err)
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: strings.Repeat("é", 3000)}))
	one, _ := w.desk.Incident(ref.ID)
	for _, text := range []string{one.Title, one.Details, one.Notes[0]} {
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxDetails {
			t.Errorf("%d runes of %.20q", utf8.RuneCountInString(text), text)
		}
	}
	if utf8.RuneCountInString(one.Title) != maxTitle || !strings.HasSuffix(one.Notes[0], "drawbridge-note:n1") || utf8.RuneCountInString(one.Notes[0]) > 200 {
		t.Errorf("title of %d, note %q", utf8.RuneCountInString(one.Title), one.Notes[0])
	}
	connectortest.Must(t, w.Comment(t.Context(), ref, connectors.Note{Key: "n1", Body: "again"}))
	if one, _ = w.desk.Incident(ref.ID); len(one.Notes) != 1 {
		t.Errorf("a note was written twice: %q", one.Notes)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pd.Options{})
	ref := w.create(t, "k1")
	for _, tc := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{"Ratelimit-Limit": {"960"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"20"}}, 20 * time.Second},
		{nil, 0},
		{http.Header{"Ratelimit-Reset": {"soon"}}, 0},
	} {
		w.desk.Faults.FailNext(1, http.StatusTooManyRequests, tc.header)
		err := w.Comment(t.Context(), ref, connectors.Note{Body: "x"})
		if e := connectors.AsError(err); err == nil || e.Kind != connectors.Throttled || e.RetryAfter != tc.want || e.Sent {
			t.Errorf("%v: %v, wait %s", tc.header, err, e.RetryAfter)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as they should be": {func(*Config) {}, ""},
		"Europe":            {func(c *Config) { c.Region = "EU" }, ""},
		"elsewhere":         {func(c *Config) { c.Region = "mars" }, "region"},
		"plain":             {func(c *Config) { c.BaseURL = "http://api.pagerduty.com" }, "base_url"},
		"no key":            {func(c *Config) { c.Key = connectors.Secret{} }, "key is missing"},
		"nobody":            {func(c *Config) { c.From = "kim" }, "from"},
		"a header":          {func(c *Config) { c.From = "kim@corp.example\nX: y" }, "from"},
		"service":           {func(c *Config) { c.Services = []string{""} }, "services"},
		"answer":            {func(c *Config) { c.Answers = []string{"Yes."} }, "answers"},
		"no channel":        {func(c *Config) { c.PeopleVia = []string{"a b"} }, "people_via"},
		"phones":            {func(c *Config) { c.PeopleVia = []string{"Website", "sms"} }, ""},
		"programs":          {func(c *Config) { c.PeopleVia = []string{"website", "API"} }, "people_via"},
		"by itself":         {func(c *Config) { c.PeopleVia = []string{"timeout"} }, "people_via"},
		"automation":        {func(c *Config) { c.Automation = []string{"a b"} }, "automation"},
		"note":              {func(c *Config) { c.NoteLimit = 1 }, "note_limit"},
		"age":               {func(c *Config) { c.MaxAge = 1 }, "max_age"},
		"lag":               {func(c *Config) { c.IndexLag = -1 }, "index_lag"},
		"overlap":           {func(c *Config) { c.Overlap = 1 }, "overlap"},
		"batch":             {func(c *Config) { c.Batch = 1000 }, "batch"},
	} {
		c := settings()
		tc.change(&c)
		err := c.withDefaults().faults()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	for region, want := range map[string]string{"": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"} {
		if got := (Config{Region: region}).withDefaults().BaseURL; got != want {
			t.Errorf("region %q is at %s", region, got)
		}
	}
}
