package servicedeskplus

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Editions.
const (
	cloud  = "cloud"
	onprem = "onprem"
)

// Config is what an operator writes for one ServiceDesk Plus.
type Config struct {
	// Edition is cloud, or onprem for an installation of one's own, MSP included.
	Edition string `yaml:"edition"`
	// BaseURL is what stands before /api/v3: https://sdpondemand.manageengine.eu/app/itdesk, https://desk.example.com:8443.
	BaseURL string `yaml:"base_url"`
	Auth    Auth   `yaml:"auth"`
	// Account is the mail address or the id of the technician we work as. Only requests this account created count.
	Account string `yaml:"account"`
	// Automations are accounts, by mail address or id, that scripts and rules work as. Nothing they do is a decision.
	Automations []string `yaml:"automations,omitempty"`
	// KeyField is the single-line additional field that holds our key, by its API name: udf_char1, udf_sline_301. Without
	// one the key stands at the end of the subject.
	KeyField string `yaml:"key_field,omitempty"`
	// ApprovalStatuses are the names approvals have at this desk. Any other name means pending.
	ApprovalStatuses ApprovalStatuses `yaml:"approval_statuses,omitempty"`
	// BackupAnswers says who answered where an approval names an original approver beside the approver: approver,
	// original_approver, or nobody (default), with which such an answer never decides.
	BackupAnswers string `yaml:"backup_answers,omitempty"`
	// Closed are the statuses that are reached by the close call; default Closed.
	Closed []string `yaml:"closed,omitempty"`
	// History is what follows a request's address in the call for its history. No such call is documented: without one
	// approvals decide and status moves never do.
	History string `yaml:"history,omitempty"`
	// NoteWrapper is the name a note is sent under: request_note (default) or note.
	NoteWrapper string `yaml:"note_wrapper,omitempty"`
	// SearchWords is how comparisons are spelled: short, as in gte (default), or long, as in greater or equal.
	SearchWords string `yaml:"search_words,omitempty"`
	// Uploads is what follows a request's address in the call that attaches a file; default _uploads.
	Uploads string `yaml:"uploads,omitempty"`
	// Accept is the media type answers are asked for in.
	Accept string `yaml:"accept,omitempty"`
	// TicketURL is the address of a request for people, with {id} for its id.
	TicketURL string `yaml:"ticket_url,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 3m.
	Overlap time.Duration `yaml:"overlap,omitempty"`
}

// Auth is how we sign in: oauth at the cloud, authtoken at an installation of one's own.
type Auth struct {
	OAuth     *OAuth            `yaml:"oauth,omitempty"`
	AuthToken connectors.Secret `yaml:"authtoken,omitempty"`
}

// OAuth is a client of Zoho's accounts server with a refresh token.
type OAuth struct {
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	RefreshToken connectors.Secret `yaml:"refresh_token"`
	// DataCenter names the accounts server: us, eu, in, cn, au, jp, ca, uk, sa. It is the one the desk is in.
	DataCenter string `yaml:"data_center,omitempty"`
	// AccountsURL is the accounts server where it is none of those.
	AccountsURL string `yaml:"accounts_url,omitempty"`
}

// ApprovalStatuses are names, compared without regard to case.
type ApprovalStatuses struct {
	Approved []string `yaml:"approved,omitempty"`
	Denied   []string `yaml:"denied,omitempty"`
}

// dataCenters are Zoho's, with the accounts server and the desk's own domain of each.
var dataCenters = map[string]struct{ accounts, service string }{
	"us": {"accounts.zoho.com", "sdpondemand.manageengine.com"},
	"eu": {"accounts.zoho.eu", "sdpondemand.manageengine.eu"},
	"in": {"accounts.zoho.in", "sdpondemand.manageengine.in"},
	"cn": {"accounts.zoho.com.cn", "servicedeskplus.cn"},
	"au": {"accounts.zoho.com.au", "servicedeskplus.net.au"},
	"jp": {"accounts.zoho.jp", "servicedeskplus.jp"},
	"ca": {"accounts.zohocloud.ca", "servicedeskplus.ca"},
	"uk": {"accounts.zoho.uk", "servicedeskplus.uk"},
	"sa": {"accounts.zoho.sa", "servicedeskplus.sa"},
}

// New returns the settings of a ServiceDesk Plus connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return `edition: cloud
base_url: https://sdpondemand.manageengine.eu/app/itdesk
auth:
  oauth:
    client_id: 1000.ABCDEF
    client_secret: {env: DRAWBRIDGE_SECRET_SDP_CLIENT}
    refresh_token: {env: DRAWBRIDGE_SECRET_SDP_REFRESH}
    data_center: eu
account: drawbridge@example.com
key_field: udf_char1
`
}

// Who answered an approval that names two people.
const (
	byNobody   = "nobody"
	byApprover = "approver"
	byOriginal = "original_approver"
)

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if len(c.ApprovalStatuses.Approved) == 0 {
		c.ApprovalStatuses.Approved = []string{"Approved"}
	}
	if len(c.ApprovalStatuses.Denied) == 0 {
		c.ApprovalStatuses.Denied = []string{"Denied", "Rejected"}
	}
	if len(c.Closed) == 0 {
		c.Closed = []string{"Closed"}
	}
	c.BackupAnswers = cmp.Or(c.BackupAnswers, byNobody)
	c.NoteWrapper = cmp.Or(c.NoteWrapper, "request_note")
	c.SearchWords = cmp.Or(c.SearchWords, "short")
	c.Uploads = cmp.Or(c.Uploads, "_uploads")
	c.Overlap = cmp.Or(c.Overlap, 3*time.Minute)
	if c.Edition == onprem {
		c.Accept = cmp.Or(c.Accept, "application/vnd.manageengine.v3+json")
		c.TicketURL = cmp.Or(c.TicketURL, c.BaseURL+"/WorkOrder.do?woMode=viewWO&woID={id}")
	} else {
		c.Accept = cmp.Or(c.Accept, "application/vnd.manageengine.sdp.v3+json")
		c.TicketURL = cmp.Or(c.TicketURL, c.BaseURL+"/ui/requests/{id}/details")
	}
	return c
}

var (
	fieldName  = regexp.MustCompile(`^udf_[a-z0-9_]{1,60}$`)
	subPath    = regexp.MustCompile(`^[a-z_]{1,40}$`)
	mediaType  = regexp.MustCompile(`^[a-z0-9.+/-]{3,100}$`)
	digitsOnly = regexp.MustCompile(`^[0-9]+$`)
)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	if strings.HasSuffix(c.BaseURL, "/api/v3") {
		fault("base_url ends before /api/v3")
	}
	switch {
	case c.Edition != cloud && c.Edition != onprem:
		fault("edition is cloud or onprem")
	case c.Edition == cloud && (c.Auth.OAuth == nil || !c.Auth.AuthToken.IsZero()):
		fault("auth needs oauth at the cloud, and nothing else")
	case c.Edition == onprem && (c.Auth.OAuth != nil || c.Auth.AuthToken.IsZero()):
		fault("auth needs authtoken at an installation of one's own, and nothing else")
	case c.Edition == cloud:
		faults = append(faults, c.oauthFaults()...)
	}
	if !isAccount(c.Account) {
		fault("account is the mail address or the id of the technician we work as")
	}
	for _, one := range c.Automations {
		if !isAccount(one) {
			fault("automations: %q is no mail address and no id", connectors.Clean(one, 100))
		}
	}
	if c.KeyField != "" && !fieldName.MatchString(c.KeyField) {
		fault("key_field is the API name of an additional field: udf_char1, udf_sline_301")
	}
	oneOf := func(name, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			fault("%s is one of: %s", name, strings.Join(allowed, ", "))
		}
	}
	oneOf("backup_answers", c.BackupAnswers, byNobody, byApprover, byOriginal)
	oneOf("note_wrapper", c.NoteWrapper, "request_note", "note")
	oneOf("search_words", c.SearchWords, "short", "long")
	for _, name := range c.ApprovalStatuses.Approved {
		if contains(c.ApprovalStatuses.Denied, name) {
			fault("approval_statuses: %q is under approved and under denied", connectors.Clean(name, 100))
		}
	}
	if !subPath.MatchString(c.Uploads) || c.History != "" && !subPath.MatchString(c.History) {
		fault("uploads and history are one part of a path, in lower-case letters and '_'")
	}
	if !mediaType.MatchString(c.Accept) {
		fault("accept is a media type")
	}
	if u, err := url.Parse(c.TicketURL); err != nil || u.Host == "" || !strings.Contains(c.TicketURL, "{id}") {
		fault("ticket_url is an address with {id}")
	}
	if c.Overlap < settle || c.Overlap > 48*time.Hour {
		fault("overlap lies between %s and 48h", settle)
	}
	return errors.Join(faults...)
}

func (c Config) oauthFaults() []error {
	var faults []error
	o := c.Auth.OAuth
	if o.ClientID == "" || o.ClientSecret.IsZero() || o.RefreshToken.IsZero() {
		faults = append(faults, errors.New("auth.oauth needs client_id, client_secret and refresh_token"))
	}
	center, known := dataCenters[o.DataCenter]
	switch {
	case (o.DataCenter == "") == (o.AccountsURL == ""):
		faults = append(faults, errors.New("auth.oauth needs either data_center or accounts_url"))
	case o.DataCenter != "" && !known:
		faults = append(faults, fmt.Errorf("auth.oauth.data_center is one of: %s", strings.Join(slices.Sorted(maps.Keys(dataCenters)), ", ")))
	case o.AccountsURL != "" && connectors.AddressFault(o.AccountsURL) != "":
		faults = append(faults, fmt.Errorf("auth.oauth.accounts_url %s", connectors.AddressFault(o.AccountsURL)))
	}
	base, err := url.Parse(c.BaseURL)
	for name, other := range dataCenters {
		if err == nil && known && strings.EqualFold(base.Hostname(), other.service) && other != center {
			faults = append(faults, fmt.Errorf("auth.oauth.data_center is %s, but base_url lies in %s: a token counts only where it was given", o.DataCenter, name))
		}
	}
	return faults
}

func isAccount(text string) bool {
	name, host, ok := strings.Cut(text, "@")
	return digitsOnly.MatchString(text) || ok && name != "" && host != "" && connectors.Clean(text, 250) == text && !strings.Contains(text, " ")
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return strings.EqualFold(one, name) })
}

// auth is how the client signs in.
func (a Auth) auth() connectors.Auth {
	if a.OAuth == nil {
		return connectors.Headers{"authtoken": a.AuthToken}
	}
	accounts := strings.TrimRight(a.OAuth.AccountsURL, "/")
	if accounts == "" {
		accounts = "https://" + dataCenters[a.OAuth.DataCenter].accounts
	}
	return connectors.RefreshToken{
		TokenURL: accounts + "/oauth/v2/token", ID: a.OAuth.ClientID, Secret: a.OAuth.ClientSecret, Token: a.OAuth.RefreshToken, Word: "Zoho-oauthtoken",
	}
}
