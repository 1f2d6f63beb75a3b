package jira

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Auth is how we sign in; exactly one way.
type Auth struct {
	Basic *BasicAuth        `yaml:"basic,omitempty"` // mail and API token at Cloud, user and password at Data Center
	Token connectors.Secret `yaml:"token,omitempty"` // personal access token of a Data Center
	OAuth *OAuth            `yaml:"oauth,omitempty"` // service account, client credentials
	// Consent is an app of one's own that a person consented to (OAuth 2.0 3LO); Cloud only.
	Consent *Consent `yaml:"consent,omitempty"`
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

// Consent is the refresh token grant of an app that works for the person who consented. Its refresh token changes with
// each use; the one in force is kept in the database.
type Consent struct {
	TokenURL     string            `yaml:"token_url,omitempty"` // default: Atlassian's
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	// RefreshToken is the one the consent gave. Set another after consent was given anew.
	RefreshToken connectors.Secret `yaml:"refresh_token"`
	// Webhooks has the app ask for webhooks to this connection's address and extend their life. Their tokens are verified
	// with the client secret. Only such an app can.
	Webhooks bool `yaml:"webhooks,omitempty"`
}

// dynamic tells whether webhooks are the app's own.
func (a Auth) dynamic() bool { return a.Consent != nil && a.Consent.Webhooks }

// withDefaults fills what was left out of the ways to sign in; c is whole otherwise.
func (a Auth) withDefaults(c Config) Auth {
	if a.OAuth != nil {
		oauth := *a.OAuth
		if oauth.TokenURL == "" {
			oauth.TokenURL = cloudTokenURL
			if c.Deployment == dataCenter {
				oauth.TokenURL = c.BaseURL + "/rest/oauth2/latest/token"
			}
		}
		a.OAuth = &oauth
	}
	if a.Consent != nil {
		consent := *a.Consent
		consent.TokenURL = cmp.Or(consent.TokenURL, cloudTokenURL)
		a.Consent = &consent
	}
	return a
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
		if text := connectors.AddressFault(a.OAuth.TokenURL); text != "" {
			faults = append(faults, fmt.Errorf("auth.oauth.token_url %s", text))
		}
	}
	if a.Consent != nil {
		ways++
		faults = append(faults, a.Consent.faults(deployment)...)
	}
	if ways != 1 {
		faults = append(faults, errors.New("auth needs exactly one of basic, token, oauth and consent"))
	}
	return faults
}

func (c Consent) faults(deployment string) []error {
	var faults []error
	if deployment == dataCenter {
		faults = append(faults, errors.New("auth.consent is for Jira Cloud; at a Data Center use auth.token or auth.oauth"))
	}
	if c.ClientID == "" {
		faults = append(faults, errors.New("auth.consent.client_id is missing"))
	}
	if c.ClientSecret.IsZero() {
		faults = append(faults, errors.New("auth.consent.client_secret is missing"))
	}
	if c.RefreshToken.IsZero() {
		faults = append(faults, errors.New("auth.consent.refresh_token is missing"))
	}
	if text := connectors.AddressFault(c.TokenURL); text != "" {
		faults = append(faults, fmt.Errorf("auth.consent.token_url %s", text))
	}
	return faults
}

// auth is how the client signs in.
func (a Auth) auth(keep connectors.Keeper) connectors.Auth {
	switch {
	case a.Basic != nil:
		return connectors.Basic{User: a.Basic.User, Password: a.Basic.Token}
	case a.OAuth != nil:
		return connectors.ClientCredentials{TokenURL: a.OAuth.TokenURL, ID: a.OAuth.ClientID, Secret: a.OAuth.ClientSecret, Scopes: a.OAuth.Scopes}
	case a.Consent != nil:
		return connectors.RotatingToken{TokenURL: a.Consent.TokenURL, ID: a.Consent.ClientID, Secret: a.Consent.ClientSecret, Token: a.Consent.RefreshToken, Keep: keep}
	default:
		return connectors.Bearer{Token: a.Token}
	}
}
