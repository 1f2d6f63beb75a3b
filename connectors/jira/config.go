package jira

import (
	"cmp"
	"errors"
	"fmt"
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
	c.Auth = c.Auth.withDefaults(c)
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

	if text := connectors.AddressFault(c.BaseURL); text != "" {
		fault("base_url %s", text)
	} else if u, _ := url.Parse(c.BaseURL); u.Hostname() == gatewayHost && !strings.HasPrefix(u.Path, "/ex/jira/") {
		fault("base_url of the Atlassian gateway is https://%s/ex/jira/CLOUD-ID", gatewayHost)
	} else if strings.Contains(u.Path, "/rest/") {
		fault("base_url ends before /rest")
	}
	if text := connectors.AddressFault(c.SiteURL); c.SiteURL != "" && text != "" && c.SiteURL != c.BaseURL {
		fault("site_url %s", text)
	}
	if c.Deployment != cloud && c.Deployment != dataCenter {
		fault("deployment is %s or %s", cloud, dataCenter)
	}
	if (c.Auth.OAuth != nil || c.Auth.Consent != nil) && c.Deployment == cloud && strings.HasSuffix(hostOf(c.BaseURL), ".atlassian.net") {
		fault("base_url: access tokens are taken at https://%s/ex/jira/CLOUD-ID only; the cloud id stands at https://%s/_edge/tenant_info", gatewayHost, hostOf(c.BaseURL))
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

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// behindGateway tells whether calls go through Atlassian's gateway, which wants a scope for each.
func (c Config) behindGateway() bool {
	return c.Deployment == cloud && strings.Contains(c.BaseURL, "/ex/jira/")
}
