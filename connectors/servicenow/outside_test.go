package servicenow

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/connectortest"
	"github.com/drawbridge-itsm/drawbridge/connectors/servicenow/servicenowstandin"
)

func told(changes []connectors.Change) []string {
	var out []string
	for _, one := range changes {
		out = append(out, one.Ref.Key+" "+one.ID[strings.Index(one.ID, "@")+1:])
	}
	return out
}

func TestWatchTellsOfTicketsAndApprovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	quiet := w.create(t, "k1")
	moved, asked := w.create(t, "k2"), w.createIn(t, "k3", "sc_req_item")
	connectortest.Must(t, w.desk.Ask(asked.Key, "system", "kim"))
	clone, err := w.desk.Clone(moved.Key, "max")
	connectortest.Must(t, err)
	w.time.Advance(time.Hour)
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	w.time.Advance(time.Minute)
	connectortest.Must(t, w.desk.Move(moved.Key, "kim", "In Progress", nil))
	connectortest.Must(t, w.desk.Move(clone, "kim", "In Progress", nil))
	connectortest.Must(t, w.desk.Answer(asked.Key, "kim", "kim", "approved"))
	w.time.Advance(time.Second)
	again := open(t, w.desk, w.time) // as after a restart
	changes, next, err := again.Watch(t.Context(), cursor, []connectors.Ref{quiet, moved, asked})
	connectortest.Must(t, err)
	want := []string{moved.Key + " 2026-11-20T11:01:00Z@1", asked.Key + " 2026-11-20T11:01:00Z@2", asked.Key + " 2026-11-20T11:01:00Z@1"}
	if d := cmp.Diff(want, told(changes)); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if changes[0].Ref.ID != moved.ID || changes[2].Ref.ID != asked.ID {
		t.Errorf("refs %+v", changes)
	}
	// What is in the overlap is told again, by the same name; later nothing is.
	w.time.Advance(90 * time.Second)
	repeated, last, err := again.Watch(t.Context(), next, nil)
	if connectortest.Must(t, err); !cmp.Equal(told(repeated), want) {
		t.Errorf("told again %v", told(repeated))
	}
	w.time.Advance(5 * time.Minute)
	_, last, err = again.Watch(t.Context(), last, nil)
	connectortest.Must(t, err)
	if changes, _, err := again.Watch(t.Context(), last, nil); err != nil || len(changes) != 0 {
		t.Errorf("told later %v, %v", told(changes), err)
	}
	if _, _, err := w.Watch(t.Context(), "nonsense", nil); err == nil {
		t.Error("a cursor of somebody else was taken")
	}
}

func TestWatchReadsEveryPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	_, cursor, err := w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	const many = 2*pageSize + 7
	var open []connectors.Ref
	for n := range many {
		open = append(open, w.create(t, fmt.Sprintf("k%d", n)))
	}
	changes, _, err := w.Watch(t.Context(), cursor, nil)
	connectortest.Must(t, err)
	seen := map[string]bool{}
	for _, one := range changes {
		seen[one.Ref.ID] = true
	}
	if len(seen) != many || len(changes) != many {
		t.Errorf("told of %d tickets in %d changes, want %d", len(seen), len(changes), many)
	}
	connectortest.Must(t, w.desk.Delete(open[5].Key))
	w.time.Advance(time.Hour)
	_, cursor, err = w.Watch(t.Context(), "", nil)
	connectortest.Must(t, err)
	gone := map[string]bool{}
	for range 6 {
		changes, cursor, err = w.Watch(t.Context(), cursor, open)
		connectortest.Must(t, err)
		for _, one := range changes {
			gone[one.Ref.ID] = true
		}
		w.time.Advance(time.Hour)
	}
	if len(gone) != 1 || !gone[open[5].ID] {
		t.Errorf("told as gone %v, want %s", gone, open[5].ID)
	}
}

func TestAWrongTimeZoneIsNoticedBeforeAnythingIsMissed(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	connectortest.Must(t, err)
	w := newWorld(t, servicenowstandin.Options{Zone: berlin})
	_, _, err = w.Watch(t.Context(), "", nil)
	if err == nil || connectors.AsError(err).Kind != connectors.Unwell || !strings.Contains(err.Error(), "time zone GMT") {
		t.Errorf("watch = %v", err)
	}
	connectortest.Permanent(t, w.Ping(t.Context()), "time zone GMT")
}

func TestChangesHaveOneLastName(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	counted := record{sysUpdated: "2026-11-20 10:00:00", sysModCount: "4"}
	if a, b := changeID("x", counted, at), changeID("x", counted, at.Add(time.Hour)); a != b || a != "x@2026-11-20T10:00:00Z@4" {
		t.Errorf("got %s and %s", a, b)
	}
	bare := record{sysUpdated: "2026-11-20 10:00:00"}
	if a, b := changeID("x", bare, at.Add(time.Second)), changeID("x", bare, at.Add(2*time.Second)); a == b {
		t.Errorf("got %s twice in one second", a)
	}
	if a, b := changeID("x", bare, at.Add(settle)), changeID("x", bare, at.Add(time.Hour)); a != b {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestPingNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	connectortest.Must(t, newWorld(t, servicenowstandin.Options{}).Ping(t.Context()))
	tables := []string{"incident", "change_request", "sc_req_item", "sc_task"}
	for _, one := range needed {
		tables = append(tables, one.table)
	}
	for _, table := range tables {
		t.Run("may not read "+table, func(t *testing.T) {
			t.Parallel()
			connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{Unreadable: []string{table}}).Ping(t.Context()), table)
		})
	}
	for _, table := range []string{"sys_user", "sys_user_grmember", "sys_user_group", "sys_choice", "sys_dictionary", "sys_audit", "sysapproval_approver"} {
		t.Run("is shown nothing of "+table, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, servicenowstandin.Options{Hidden: []string{table}})
			ref := w.createIn(t, "k1", "sc_req_item")
			connectortest.Must(t, w.desk.Ask(ref.Key, "system", "kim", "lee"))
			connectortest.Permanent(t, w.Ping(t.Context()), table)
		})
	}
	connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{Unaudited: []string{"sysapproval_approver"}}).Ping(t.Context()), "table sysapproval_approver: auditing is off")
	connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{Unaudited: []string{"sc_task"}}).Ping(t.Context()), "table sc_task: auditing is off")
	connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{}, func(c *Config) { c.Tables = []string{"u_none"} }).Ping(t.Context()), "table u_none", "there is none")
	connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{APIKey: "key"}, func(c *Config) {
		c.User, c.Auth = "kim", Auth{APIKey: &APIKey{Key: connectors.SecretValue("key")}}
	}).Ping(t.Context()), `those of "drawbridge" and not of user "kim"`)
	connectortest.Permanent(t, newWorld(t, servicenowstandin.Options{APIKey: "key"}, func(c *Config) {
		c.User, c.Auth = "nobody", Auth{APIKey: &APIKey{Key: connectors.SecretValue("key")}}
	}).Ping(t.Context()), `there is no user "nobody"`)
}

func TestEveryWayToSignIn(t *testing.T) {
	t.Parallel()
	secret, wrong := connectors.SecretValue("secret"), connectors.SecretValue("wrong-word")
	ways := func(s connectors.Secret) map[string]Auth {
		return map[string]Auth{
			"basic": {Basic: &BasicAuth{s}}, "oauth": {OAuth: &OAuth{ClientID: "id", ClientSecret: s}},
			"password": {Password: &PasswordAuth{OAuth{ClientID: "id", ClientSecret: s}, s}}, "api key": {APIKey: &APIKey{Key: s}},
		}
	}
	o := servicenowstandin.Options{Password: "secret", ClientID: "id", ClientSecret: "secret", APIKey: "secret"}
	for name, auth := range ways(secret) {
		w := newWorld(t, o, func(c *Config) { c.Auth = auth })
		connectortest.Must(t, w.Ping(t.Context()))
		w.desk.RevokeTokens() // in mid-flight: asked for anew
		if err := w.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, auth := range ways(wrong) {
		err := newWorld(t, o, func(c *Config) { c.Auth = auth }).Ping(t.Context())
		if err == nil || connectors.AsError(err).Kind != connectors.Unwell || strings.Contains(err.Error(), "wrong-word") {
			t.Errorf("%s with a wrong secret: %v", name, err)
		}
	}
}

// says is an instance that gives one answer.
type says struct {
	status int
	header http.Header
	body   string
}

func (s says) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func TestFaultsOfTheInstance(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		answer says
		kind   connectors.Kind
		wait   time.Duration
		want   string
	}{
		{"an error inside a success", says{200, nil, `{"result":[],"error":{"message":"Transaction cancelled","detail":"maximum execution time exceeded"},"status":"failure"}`}, connectors.Temporary, 0, "holds an error"},
		{"a status alone", says{200, nil, `{"result":[],"status":"failure"}`}, connectors.Temporary, 0, "holds an error"},
		{"an instance that sleeps", says{200, http.Header{"Content-Type": {"text/html"}}, `<html>Your instance is hibernating</html>`}, connectors.Temporary, 0, "web page"},
		{"no result", says{200, nil, `{}`}, connectors.Temporary, 0, "no result"},
		{"one record for a list", says{200, nil, `{"result":{"sys_id":"x"}}`}, connectors.Temporary, 0, "no result"},
		{"a row without sys_id", says{200, nil, `{"result":[{"number":"INC1"}]}`}, connectors.Temporary, 0, "no sys_id"},
		{"a refusal", says{403, nil, `{"error":{"message":"Operation Failed","detail":"ACL"},"status":"failure"}`}, connectors.Permanent, 0, "ServiceNow says: Operation Failed: ACL"},
		{"wrong credentials", says{401, nil, `{"error":{"message":"User Not Authenticated","detail":"x"}}`}, connectors.Unwell, 0, "access policy"},
		{"a limit by seconds", says{429, http.Header{"Retry-After": {"120"}}, `{"error":{"message":"Rate limit exceeded"}}`}, connectors.Throttled, 2 * time.Minute, "Rate limit"},
		{"a limit by its end", says{429, http.Header{"X-Ratelimit-Reset": {fmt.Sprint(now.Add(time.Minute).Unix())}}, `{}`}, connectors.Throttled, time.Minute, ""},
		{"a limit that ended", says{429, http.Header{"X-Ratelimit-Reset": {"1"}}, `{}`}, connectors.Throttled, 0, ""},
		{"too much to do", says{503, nil, ``}, connectors.Temporary, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, tc.answer, connectortest.NewClock(now)).Find(t.Context(), "k1")
			e, ok := errors.AsType[*connectors.Error](err)
			if !ok || e.Kind != tc.kind || e.RetryAfter != tc.wait || e.Sent || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %+v", err)
			}
		})
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("0123456789abcdef", 2)
	c := &connector{conf: Config{BaseURL: "https://acme.service-now.com", Tables: []string{"incident"}}}
	whole := connectors.Change{
		Ref: connectors.Ref{ID: "incident/" + id, Key: "INC0010001", URL: "https://acme.service-now.com/incident.do?sys_id=" + id}, ID: id + ":3",
	}
	bare := whole
	bare.ID, bare.Ref.Key = "", ""
	for _, tc := range []struct {
		name, body string
		want       []connectors.Change
		bad        bool
	}{
		{"whole", `{"event":"ticket.changed","table":"incident","sys_id":"` + id + `","number":"INC0010001","event_id":"` + id + `:3"}`, []connectors.Change{whole}, false},
		{"the least", `{"table":"incident","sys_id":"` + id + `"}`, []connectors.Change{bare}, false},
		{"odd names", `{"table":"incident","sys_id":"` + id + `","number":"<b>","event_id":"x"}`, []connectors.Change{bare}, false},
		{"another table", `{"table":"problem","sys_id":"` + id + `"}`, nil, false},
		{"no table", `{"sys_id":"` + id + `"}`, nil, true},
		{"a path", `{"table":"incident/..","sys_id":"` + id + `"}`, nil, true},
		{"no id", `{"table":"incident"}`, nil, true},
		{"an id that is none", `{"table":"incident","sys_id":"../x"}`, nil, true},
		{"two objects", `{"table":"incident","sys_id":"` + id + `"}{}`, nil, true},
		{"no JSON", `table=incident`, nil, true},
		{"too large", `{"table":"incident","x":"` + strings.Repeat("x", connectors.MaxNotice) + `"}`, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Receive(t.Context(), notice(tc.body))
			_, malformed := errors.AsType[*connectors.Malformed](err)
			if malformed != tc.bad || (err != nil && !tc.bad) {
				t.Errorf("got %v", err)
			}
			if d := cmp.Diff(tc.want, got.Changes); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
	_, err := c.Receive(t.Context(), connectors.Request{Body: []byte(`{}`)})
	if _, ok := errors.AsType[*connectors.WrongType](err); !ok {
		t.Errorf("a body without a type: %v", err)
	}
}

func FuzzReceive(f *testing.F) {
	id := strings.Repeat("a", 32)
	for _, seed := range []string{`{"table":"incident","sys_id":"` + id + `","event_id":"` + id + `:1"}`, `{"table":null}`, `[]`, `{`} {
		f.Add([]byte(seed))
	}
	c := &connector{conf: Config{BaseURL: "https://x", Tables: []string{"incident"}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.Receive(t.Context(), notice(string(body)))
		for _, one := range got.Changes {
			if _, bad := c.place(one.Ref); err != nil || bad != nil {
				t.Errorf("%q became %+v", body, got)
			}
		}
	})
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servicenowstandin.Options{})
	s, err := w.Describe(t.Context(), connectors.Place{Project: "incident"})
	connectortest.Must(t, err)
	fields := map[string]connectors.Field{}
	for _, f := range s.Fields {
		fields[f.ID] = f
	}
	if f := fields["caller_id"]; !f.Required || !strings.Contains(f.Doc, "User ID") {
		t.Errorf("caller_id %+v", f)
	}
	for _, hidden := range []string{"correlation_id", "sys_created_by", "state", "short_description"} {
		if _, ok := fields[hidden]; ok {
			t.Errorf("%s is offered to rules", hidden)
		}
	}
	if want := []string{"New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled", "Approved", "Declined"}; !sameSet(s.Statuses, want) {
		t.Errorf("statuses %v, want %v", s.Statuses, want)
	}
	if s, err = w.Describe(t.Context(), connectors.Place{Project: "sc_task"}); err != nil || !sameSet(s.Statuses, []string{"Open", "Work in Progress", "Closed Complete", "Closed Incomplete", "Closed Skipped"}) {
		t.Errorf("statuses of sc_task %v, %v", s.Statuses, err)
	}
	_, err = w.Describe(t.Context(), connectors.Place{Project: "problem"})
	connectortest.Permanent(t, err, "not among the tables")
}

func sameSet(a, b []string) bool {
	count := map[string]int{}
	for _, one := range a {
		count[one]++
	}
	for _, one := range b {
		count[one]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	var users []servicenowstandin.User
	for n := range 250 {
		users = append(users, servicenowstandin.User{Name: fmt.Sprintf("u%d", n), Full: "Person", Mail: fmt.Sprintf("u%d@corp.example", n), Groups: []string{"Staff", "Approvers"}})
	}
	w := newWorld(t, servicenowstandin.Options{Users: users})
	if got, err := w.Groups(t.Context(), "u7"); err != nil || !sameSet(got, []string{"Staff", "Approvers"}) {
		t.Errorf("groups %v, %v", got, err)
	}
	_, err := w.Groups(t.Context(), "u7^ORuser.user_name=u8")
	connectortest.Permanent(t, err, "no User ID")
	seen, cursor := map[string]connectors.Person{}, connectors.Cursor("")
	for range 3 {
		var people []connectors.Person
		people, cursor, err = w.People(t.Context(), cursor)
		connectortest.Must(t, err)
		for _, p := range people {
			seen[p.Account] = p
		}
		if cursor == "" {
			break
		}
	}
	if want := (connectors.Person{Account: "u7", Name: "Person", Mail: "u7@corp.example"}); len(seen) != 251 || seen["u7"] != want || cursor != "" {
		t.Errorf("%d people, u7 as %+v, cursor %q", len(seen), seen["u7"], cursor)
	}
	_, _, err = w.People(t.Context(), "x")
	connectortest.Permanent(t, err)
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	conf := &Config{
		BaseURL: "http://acme.service-now.com/api", User: "a^b", Auth: Auth{Basic: &BasicAuth{}, APIKey: &APIKey{}}, Tables: []string{"incident/x"},
		States: map[string]map[string]string{"problem": {"1": "A", "2": "A"}}, IndexLag: -1, Overlap: time.Second,
	}
	_, err := conf.Open(connectortest.Env(t))
	if err == nil {
		t.Fatal("want faults")
	}
	for _, want := range []string{
		"base_url holds more", "user is the User ID", "auth needs exactly one", `"incident/x" is no table's name`, `"problem" is not among`, "a name of its own",
		"index_lag lies", "overlap lies",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestSettingsAreReadFromADocument(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]string{
		"basic":    "basic: {password: {value: x}}",
		"oauth":    "oauth: {client_id: a, client_secret: {value: x}, scopes: [useraccount]}",
		"password": "password: {client_id: a, client_secret: {value: x}, password: {value: x}}",
		"api key":  "api_key: {key: {value: x}, header: x-corp-apikey}",
	} {
		text := "base_url: https://acme.service-now.com\nuser: drawbridge\nauth:\n  " + auth +
			"\ntables: [incident, u_access]\nstates:\n  incident: {\"1\": New}\nindex_lag: 30s\noverlap: 5m\n"
		conf := New()
		if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(conf); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := conf.Open(connectortest.Env(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeskScriptHoldsTheAddressAndNoSecret(t *testing.T) {
	t.Parallel()
	text := (&Config{}).DeskScript("https://db.corp.example/in/desk")
	if !strings.Contains(text, "https://db.corp.example/in/desk") || strings.Contains(text, "bridge.example.com") || !strings.Contains(text, connectors.NoticeTimeHeader) ||
		!strings.Contains(text, connectors.NoticeSignatureHeader) || !strings.Contains(text, "gs.getProperty('drawbridge.secret')") {
		t.Errorf("the script is\n%s", text)
	}
}
