package jira

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one Jira.
type Config struct {
	// BaseURL is where calls go: https://SITE.atlassian.net, or https://api.atlassian.com/ex/jira/CLOUD-ID for scoped
	// tokens and OAuth, or a Data Center with its context path.
	BaseURL string `yaml:"base_url"`
	// SiteURL is where people read tickets. It is needed only where BaseURL is the Atlassian gateway.
	SiteURL string `yaml:"site_url,omitempty"`
	// Deployment is cloud (default) or data_center.
	Deployment string `yaml:"deployment,omitempty"`
	Auth       Auth   `yaml:"auth"`
	// Projects limits watching to these project keys; empty is all the account sees.
	Projects []string `yaml:"projects,omitempty"`
	// KeyProperty is the issue and comment property that holds our key; default drawbridge.
	KeyProperty string `yaml:"key_property,omitempty"`
	// Resolution is set by transitions whose screen has one; default: the first allowed, where it is required.
	Resolution string `yaml:"resolution,omitempty"`
	// IndexLag is how long a new ticket may stay unseen by search; default 2m.
	IndexLag time.Duration `yaml:"index_lag,omitempty"`
	// Overlap is how far back watching looks each time behind where it was; default 5m, at least IndexLag.
	Overlap time.Duration `yaml:"overlap,omitempty"`
	// SearchEvery is how often watching asks the search while the open tickets are few enough to be asked for by id;
	// default Overlap, at most Overlap.
	SearchEvery time.Duration `yaml:"search_every,omitempty"`
}

// Auth is how we sign in; exactly one way.
type Auth struct {
	Basic *BasicAuth        `yaml:"basic,omitempty"` // mail and API token at Cloud, user and password at Data Center
	Token connectors.Secret `yaml:"token,omitempty"` // personal access token of a Data Center
	OAuth *OAuth            `yaml:"oauth,omitempty"` // service account, client credentials
}

// BasicAuth is HTTP Basic authentication.
type BasicAuth struct {
	User  string            `yaml:"user"`
	Token connectors.Secret `yaml:"token"`
}

// OAuth is the client credentials grant of a service account.
type OAuth struct {
	TokenURL     string            `yaml:"token_url,omitempty"` // default: Atlassian's at Cloud, the site's own at Data Center
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	Scopes       []string          `yaml:"scopes,omitempty"`
}

const (
	cloud      = "cloud"
	dataCenter = "data_center"

	gatewayHost   = "api.atlassian.com"
	cloudTokenURL = "https://auth.atlassian.com/oauth/token"
)

// New returns the settings of a Jira connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.Deployment = cmp.Or(c.Deployment, cloud)
	c.KeyProperty = cmp.Or(c.KeyProperty, mark)
	c.IndexLag = cmp.Or(c.IndexLag, 2*time.Minute)
	c.Overlap = max(cmp.Or(c.Overlap, 5*time.Minute), c.IndexLag)
	c.SearchEvery = min(cmp.Or(c.SearchEvery, c.Overlap), c.Overlap)
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	c.SiteURL = strings.TrimRight(c.SiteURL, "/")
	if c.Auth.OAuth != nil {
		oauth := *c.Auth.OAuth
		if oauth.TokenURL == "" {
			oauth.TokenURL = cloudTokenURL
			if c.Deployment == dataCenter {
				oauth.TokenURL = c.BaseURL + "/rest/oauth2/latest/token"
			}
		}
		c.Auth.OAuth = &oauth
	}
	if u, err := url.Parse(c.BaseURL); err == nil && c.SiteURL == "" && u.Hostname() != gatewayHost {
		c.SiteURL = c.BaseURL
	}
	return c
}

var (
	projectKey  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	propertyKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
)

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if text := addressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	} else if u, _ := url.Parse(c.BaseURL); u.Hostname() == gatewayHost && !strings.HasPrefix(u.Path, "/ex/jira/") {
		fault("base_url of the Atlassian gateway is https://%s/ex/jira/CLOUD-ID", gatewayHost)
	} else if strings.Contains(u.Path, "/rest/") {
		fault("base_url ends before /rest")
	}
	if text := addressFault(c.SiteURL); c.SiteURL != "" && text != "" && c.SiteURL != c.BaseURL {
		fault("site_url %s", text)
	}
	if c.Deployment != cloud && c.Deployment != dataCenter {
		fault("deployment is %s or %s", cloud, dataCenter)
	}
	for _, key := range c.Projects {
		if !projectKey.MatchString(key) {
			fault("projects: %q is not a project key", key)
		}
	}
	if !propertyKey.MatchString(c.KeyProperty) {
		fault("key_property has letters, digits, - and _ only")
	}
	if c.IndexLag < 0 || c.IndexLag > 24*time.Hour {
		fault("index_lag lies between 0 and 24h")
	}
	if c.Overlap < time.Minute || c.Overlap > 48*time.Hour {
		fault("overlap lies between 1m and 48h: searches know minutes only")
	}
	return errors.Join(append(faults, c.Auth.faults(c.Deployment)...)...)
}

func (a Auth) faults(deployment string) []error {
	var faults []error
	ways := 0
	if a.Basic != nil {
		ways++
		if a.Basic.User == "" {
			faults = append(faults, errors.New("auth.basic.user is missing"))
		}
		if a.Basic.Token.IsZero() {
			faults = append(faults, errors.New("auth.basic.token is missing"))
		}
	}
	if !a.Token.IsZero() {
		ways++
		if deployment == cloud {
			faults = append(faults, errors.New("auth.token is a Data Center access token; at Cloud use auth.basic with mail and API token, or auth.oauth"))
		}
	}
	if a.OAuth != nil {
		ways++
		if a.OAuth.ClientID == "" {
			faults = append(faults, errors.New("auth.oauth.client_id is missing"))
		}
		if a.OAuth.ClientSecret.IsZero() {
			faults = append(faults, errors.New("auth.oauth.client_secret is missing"))
		}
		if text := addressFault(a.OAuth.TokenURL); text != "" {
			faults = append(faults, fmt.Errorf("auth.oauth.token_url %s", text))
		}
	}
	if ways != 1 {
		faults = append(faults, errors.New("auth needs exactly one of basic, token and oauth"))
	}
	return faults
}

// addressFault tells what is wrong with an address that credentials are sent to.
func addressFault(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || u.Host == "":
		return "is not a URL"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "holds more than scheme, host and path"
	case u.Scheme == "http" && loopback(u.Hostname()), u.Scheme == "https":
		return ""
	default:
		return "must be https"
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// auth is how the client signs in.
func (a Auth) auth() connectors.Auth {
	switch {
	case a.Basic != nil:
		return connectors.Basic{User: a.Basic.User, Password: a.Basic.Token}
	case a.OAuth != nil:
		return connectors.ClientCredentials{TokenURL: a.OAuth.TokenURL, ID: a.OAuth.ClientID, Secret: a.OAuth.ClientSecret, Scopes: a.OAuth.Scopes}
	default:
		return connectors.Bearer{Token: a.Token}
	}
}
