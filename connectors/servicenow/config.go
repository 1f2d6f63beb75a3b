package servicenow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one instance.
type Config struct {
	// BaseURL is the instance's address: https://acme.service-now.com, or its own host name.
	BaseURL string `yaml:"base_url"`
	// User is the User ID of the account we work with, in whatever way it signs in: records name people by it.
	User string `yaml:"user"`
	Auth Auth   `yaml:"auth"`
	// Tables are the tables tickets are opened in: incident, change_request, sc_req_item, sc_task or any other task table.
	Tables []string `yaml:"tables"`
	// States are the states of a table, value to name, where the account may not read the choices kept at the instance.
	States map[string]map[string]string `yaml:"states,omitempty"`
	// IndexLag is how long a create whose answer was lost may still be at work; default 1m, for the instance ends what
	// takes longer.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 2m, at least 1m.
	Overlap time.Duration `yaml:"overlap,omitempty"`
}

// Auth is how we sign in; exactly one way.
type Auth struct {
	Basic    *BasicAuth    `yaml:"basic,omitempty"`    // the user's password
	OAuth    *OAuth        `yaml:"oauth,omitempty"`    // the client credentials grant, for a client bound to the user
	Password *PasswordAuth `yaml:"password,omitempty"` // the password grant
	APIKey   *APIKey       `yaml:"api_key,omitempty"`  // a REST API key bound to the user
}

// BasicAuth is HTTP Basic authentication of the user.
type BasicAuth struct {
	Password connectors.Secret `yaml:"password"`
}

// OAuth is a client of the instance's own token endpoint.
type OAuth struct {
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	Scopes       []string          `yaml:"scopes,omitempty"`
}

// PasswordAuth is a client and the user's password.
type PasswordAuth struct {
	OAuth    `yaml:",inline"`
	Password connectors.Secret `yaml:"password"`
}

// APIKey is a key in a header.
type APIKey struct {
	Key    connectors.Secret `yaml:"key"`
	Header string            `yaml:"header,omitempty"` // default x-sn-apikey; an instance may have another
}

// New returns the settings of a ServiceNow connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "base_url: https://acme.service-now.com\nuser: drawbridge\nauth:\n  oauth:\n    client_id: 0123456789abcdef0123456789abcdef\n" +
		"    client_secret: {env: DRAWBRIDGE_SECRET_SERVICENOW_CLIENT}\ntables: [incident]\n"
}

const (
	defaultLag     = time.Minute
	defaultOverlap = 2 * time.Minute
	leastOverlap   = time.Minute
	apiKeyHeader   = "x-sn-apikey"
)

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.IndexLag = cmp.Or(c.IndexLag, defaultLag)
	c.Overlap = cmp.Or(c.Overlap, defaultOverlap)
	return c
}

var (
	tableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,79}$`)
	// userName is what may stand in a query and mean itself.
	userName = regexp.MustCompile(`^[\pL\pN][\pL\pN._@+\\' -]{0,99}$`)
)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if text := connectors.SiteFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	}
	if !userName.MatchString(c.User) {
		fault("user is the User ID of the account")
	}
	faults = append(faults, c.Auth.faults()...)
	if len(c.Tables) == 0 {
		fault("tables is missing")
	}
	for _, table := range c.Tables {
		if !tableName.MatchString(table) {
			fault("tables: %q is no table's name", connectors.Clean(table, 100))
		}
	}
	for _, table := range slices.Sorted(maps.Keys(c.States)) {
		if !slices.Contains(c.Tables, table) {
			fault("states: %q is not among the tables", connectors.Clean(table, 100))
		}
		names := slices.Sorted(maps.Values(c.States[table]))
		if len(names) == 0 || names[0] == "" || len(slices.Compact(slices.Clone(names))) < len(names) {
			fault("states.%s gives each value a name of its own", connectors.Clean(table, 100))
		}
	}
	if c.IndexLag < 0 || c.IndexLag > time.Hour {
		fault("index_lag lies between 0 and 1h")
	}
	if c.Overlap < leastOverlap || c.Overlap > 48*time.Hour {
		fault("overlap lies between %s and 48h", leastOverlap)
	}
	return errors.Join(faults...)
}

func (a Auth) faults() []error {
	ways := 0
	for _, given := range []bool{a.Basic != nil, a.OAuth != nil, a.Password != nil, a.APIKey != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return []error{errors.New("auth needs exactly one of basic, oauth, password and api_key")}
	case a.Basic != nil && a.Basic.Password.IsZero():
		return []error{errors.New("auth.basic needs password")}
	case a.OAuth != nil && !a.OAuth.whole():
		return []error{errors.New("auth.oauth needs client_id and client_secret")}
	case a.Password != nil && (!a.Password.whole() || a.Password.Password.IsZero()):
		return []error{errors.New("auth.password needs client_id, client_secret and password")}
	case a.APIKey != nil && a.APIKey.Key.IsZero():
		return []error{errors.New("auth.api_key needs key")}
	case a.APIKey != nil && !headerName.MatchString(cmp.Or(a.APIKey.Header, apiKeyHeader)):
		return []error{errors.New("auth.api_key.header is a header's name")}
	default:
		return nil
	}
}

var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

func (o OAuth) whole() bool { return o.ClientID != "" && !o.ClientSecret.IsZero() }

// auth is how the client signs in.
func (c Config) auth() connectors.Auth {
	token := c.BaseURL + "/oauth_token.do"
	switch a := c.Auth; {
	case a.OAuth != nil:
		return connectors.ClientCredentials{TokenURL: token, ID: a.OAuth.ClientID, Secret: a.OAuth.ClientSecret, Scopes: a.OAuth.Scopes}
	case a.Password != nil:
		return connectors.PasswordGrant{
			TokenURL: token, ID: a.Password.ClientID, Secret: a.Password.ClientSecret, User: c.User, Password: a.Password.Password, Scopes: a.Password.Scopes,
		}
	case a.APIKey != nil:
		return connectors.Headers{http.CanonicalHeaderKey(cmp.Or(a.APIKey.Header, apiKeyHeader)): a.APIKey.Key}
	default:
		return connectors.Basic{User: c.User, Password: a.Basic.Password}
	}
}
