package preset

import "github.com/drawbridge-itsm/drawbridge/connectors"

// Document is one preset as it is written. preset.schema.json says what may stand where; the comments here say what it
// means.
type Document struct {
	Preset     string    `yaml:"preset"`  // the connector's name
	Version    int       `yaml:"version"` // of this text, counted by its author
	Title      string    `yaml:"title"`
	Group      string    `yaml:"group"` // incident, chat, siem, orchestration, generic
	Lifecycle  Lifecycle `yaml:"lifecycle"`
	Docs       []string  `yaml:"docs"`       // the vendor's pages it was written from
	Confidence string    `yaml:"confidence"` // documented: by the vendor; partly: the rest is listed in unverified; inferred: from other clients
	Unverified []string  `yaml:"unverified"` // what rests on no documented fact
	Notes      []string  `yaml:"notes"`      // what an operator should know

	Params   []Param  `yaml:"params"`
	Request  Request  `yaml:"request"`
	Auth     []Auth   `yaml:"auth"` // the first whose condition holds
	Body     Body     `yaml:"body"`
	Batch    Batch    `yaml:"batch"`
	Rate     *Rate    `yaml:"rate"`
	Response Response `yaml:"response"`
	Confirm  *Confirm `yaml:"confirm"`
	Ask      *Ask     `yaml:"ask"`
	Inbound  *Inbound `yaml:"inbound"`
	Ping     *Ping    `yaml:"ping"`
	Test     Test     `yaml:"test"`
}

// Lifecycle is how long the vendor keeps what the preset is for.
type Lifecycle struct {
	Status    string `yaml:"status"` // active (default), deprecated, retired
	Until     string `yaml:"until"`  // a day, 2027-04-05
	Successor string `yaml:"successor"`
}

// Param is what an operator fills in, as settings.NAME of the connection. Expressions see it as params.NAME; of a secret
// they see whether it is set.
type Param struct {
	Name         string         `yaml:"name"`
	Type         string         `yaml:"type"` // string, int, bool, enum, url, host, secret
	Required     bool           `yaml:"required"`
	RequiredWhen string         `yaml:"required_when"` // an expression over params
	Default      any            `yaml:"default"`
	Enum         map[string]any `yaml:"enum"` // label to what expressions see of it
	Pattern      string         `yaml:"pattern"`
	Help         string         `yaml:"help"`
	Example      string         `yaml:"example"`
}

// Request is the call. Its texts are those of a rule, with ${...} in them.
type Request struct {
	Method string `yaml:"method"` // POST (default), PUT, PATCH, DELETE: all have a body, in which records are sent
	// URL has every value escaped for its place. ${secret.NAME} is a credential in it, or the whole of it.
	URL         string            `yaml:"url"`
	AllowHosts  []string          `yaml:"allow_hosts"` // globs, compared with the host that came out
	AllowPorts  []int             `yaml:"allow_ports"` // besides 443; with neither these nor allow_hosts: any
	Query       map[string]string `yaml:"query"`       // one whose value is nothing is left out
	Headers     map[string]string `yaml:"headers"`     // the same; a control character in one is refused
	Percent     []string          `yaml:"percent"`     // headers whose values are percent-encoded, as CloudEvents says
	Compression string            `yaml:"compression"` // none (default), gzip, or an expression over params that gives one of them
}

// Auth is one way to prove ourselves.
type Auth struct {
	When     string `yaml:"when"` // an expression over params; empty: always
	Kind     string `yaml:"kind"` // none, header, basic, query, path, body, oauth2_cc, oauth2_jwt, standard_webhooks
	Header   string `yaml:"header"`
	Scheme   string `yaml:"scheme"`   // before the credential, with what separates them
	Param    string `yaml:"param"`    // of the query
	At       string `yaml:"at"`       // place in the body: $.routing_key
	Secret   string `yaml:"secret"`   // name of the param
	Previous string `yaml:"previous"` // a second secret to sign by, during a change
	Username string `yaml:"username"`
	OAuth    OAuth  `yaml:"oauth"`
}

// OAuth is a client of a token server. Its texts are expressions over params.
type OAuth struct {
	TokenURL string `yaml:"token_url"`
	ClientID string `yaml:"client_id"`
	Scope    string `yaml:"scope"`
	KeyID    string `yaml:"key_id"`
}

// Body is how records become a request.
type Body struct {
	Framing     string    `yaml:"framing"` // single, array, ndjson, concat, envelope
	ContentType string    `yaml:"content_type"`
	Item        any       `yaml:"item"`        // the record made of an event for which a rule made none; default: the event, with source and timestamp
	Needs       []string  `yaml:"needs"`       // where a record has to hold something: what only a rule can say
	EventIDAt   []string  `yaml:"event_id_at"` // where the event's id is put into the record
	Escape      *Escape   `yaml:"escape"`
	Limits      []Limit   `yaml:"limits"`
	Wrap        any       `yaml:"wrap"`  // what is sent for the record, which it sees as item
	Group       string    `yaml:"group"` // records of one request give the same here; a change starts a new request, for records keep their order
	Envelope    *Envelope `yaml:"envelope"`
}

// Escape makes texts harmless for what shows them.
type Escape struct {
	As   string   `yaml:"as"`   // slack, html
	Keys []string `yaml:"keys"` // of which mappings; none: every text. For slack, one that is a URL as a whole stays as it is
}

// Limit is the most characters of a text in the record.
type Limit struct {
	At   string `yaml:"at"`
	Max  int    `yaml:"max"`
	Over string `yaml:"over"` // cut (default), fail
}

// Envelope is what the records of a request stand in.
type Envelope struct {
	Template any    `yaml:"template"` // sees params and group
	ItemsAt  string `yaml:"items_at"`
}

// Batch is how much goes into a request.
type Batch struct {
	MaxItems     int    `yaml:"max_items"`      // default 1
	MaxBytes     int    `yaml:"max_bytes"`      // of the body before it is packed; 0: any
	MaxItemBytes int    `yaml:"max_item_bytes"` // 0: any
	Linger       string `yaml:"linger"`         // how long the first may wait for more
	OnOversize   string `yaml:"on_oversize"`    // dead_letter (default), cut, split
	CutAt        string `yaml:"cut_at"`         // the text that is made shorter, or is split
}

// Rate is how many requests of one connection the vendor takes in any such time. The rest waits.
type Rate struct {
	Limit int    `yaml:"limit"`
	Per   string `yaml:"per"`
}

// Response is what answers mean, looked at in this order. What no test matches: 2xx is in doubt and tried again, 408,
// 429, 5xx and no answer too, 401 and redirects make the connection unwell, the rest is permanent. After reauth an access
// token is got anew, once in a batch.
type Response struct {
	DisableOn    []int    `yaml:"disable_on"`
	Success      []Answer `yaml:"success"`
	AlreadyDone  []Answer `yaml:"already_done"`
	Partial      *Partial `yaml:"partial"`
	Reauth       []Answer `yaml:"reauth"`
	Pause        []Answer `yaml:"pause"`
	Retry        []Answer `yaml:"retry"`
	Permanent    []Answer `yaml:"permanent"`
	RetryAfter   []Hint   `yaml:"retry_after"`
	ID           string   `yaml:"id"`     // the vendor's id for what was taken: $.dedup_key
	Errors       []string `yaml:"errors"` // where an answer says what is wrong
	AcceptedOnly bool     `yaml:"accepted_only"`
}

// Answer is a test of an answer: of its status, and of its body.
type Answer struct {
	Status      []int       `yaml:"status"` // none: any
	Equals      *string     `yaml:"equals"` // the body, without white space around it
	Contains    string      `yaml:"contains"`
	NotContains string      `yaml:"not_contains"`
	JSON        []JSONValue `yaml:"json"` // all of them
}

// JSONValue is a test of one value in a JSON body, compared as text.
type JSONValue struct {
	Path  string `yaml:"path"`
	In    []any  `yaml:"in"`
	NotIn []any  `yaml:"not_in"`
}

// Partial is an answer that says that some of the records were taken. The request is sent again in halves, until the
// records that are not taken stand alone; those that were taken go out twice.
type Partial struct {
	When Answer `yaml:"when"`
	Good string `yaml:"good"` // an expression over response: how many were taken
	Bad  string `yaml:"bad"`
}

// Hint is a header that says how long to wait, besides Retry-After.
type Hint struct {
	Header string `yaml:"header"`
	Unit   string `yaml:"unit"` // seconds, http_date, epoch
}

// Confirm asks, after a success, until what was sent is where it should be. Its expressions see id, the vendor's id. After
// a success without one nothing more is sent for a quarter of an hour: the connection is unwell.
type Confirm struct {
	When   string            `yaml:"when"` // an expression over params; empty: always
	Method string            `yaml:"method"`
	Path   string            `yaml:"path"` // on the server of the request
	Query  map[string]string `yaml:"query"`
	Body   any               `yaml:"body"`
	Until  string            `yaml:"until"` // an expression over response and id
	Fail   string            `yaml:"fail"`
	Every  string            `yaml:"every"`
	For    string            `yaml:"for"`
	// WithoutID says what it means that a success has no id, and what to do about it.
	WithoutID string `yaml:"without_id"`
}

// Ask makes connections desks that put requests to people: the records that are sent for it, by the same request. They see
// key, which is ours, ticket (summary, description as plain text, markdown, priority, project, type, fields) and at.
type Ask struct {
	To       string         `yaml:"to"`       // an expression: the mail addresses of who is asked; none: whoever sees it
	Question map[string]any `yaml:"question"` // sees answer_link; or, where To names any, answer_links: a list of to and link
	Note     map[string]any `yaml:"note"`     // a follow-up, sees note; none: there are no follow-ups
	Settle   map[string]any `yaml:"settle"`   // that nobody needs to answer any more, sees status and note; none: a note says so
	Once     bool           `yaml:"once"`     // the vendor takes a second question with the same key for the first
}

// Inbound is how answers come back to /in/CONNECTION, where a connection asks for that by answers: true.
type Inbound struct {
	Verify connectors.Verification `yaml:"verify"` // hmac or standard_webhooks, without secrets
	Vote   *Vote                   `yaml:"vote"`   // none: the body is {id, key, outcome, by, reason, duration, at}
}

// Vote reads an answer. Its texts see body and, of Standard Webhooks, id, the message's. Nothing else is signed.
type Vote struct {
	ID       string `yaml:"id"`      // tells this answer from others: the same again changes nothing
	Key      string `yaml:"key"`     // ours, as it was sent
	Outcome  string `yaml:"outcome"` // approved, denied; nothing: this is no answer
	By       any    `yaml:"by"`      // an account, or a mapping of account, name and mail
	Reason   string `yaml:"reason"`
	Duration string `yaml:"duration"`
	At       string `yaml:"at"` // RFC 3339
}

// Ping is a call that changes nothing.
type Ping struct {
	Method  string   `yaml:"method"`
	Path    string   `yaml:"path"` // on the server of the request
	Success []Answer `yaml:"success"`
}

// Test is what the preset is tried with when it is read: the settings of a connection.
type Test struct {
	Settings map[string]any `yaml:"settings"` // with a record, where the preset needs one
	Event    map[string]any `yaml:"event"`    // what expressions need of an event to try, besides what most have
}
