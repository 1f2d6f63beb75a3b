package mail

import (
	"cmp"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Config is what an operator writes for one mail server.
type Config struct {
	// Host is the server's name, as its certificate has it.
	Host string `yaml:"host"`
	// Port is 587 by default, and 465 where tls is implicit.
	Port int `yaml:"port,omitempty"`
	// TLS is starttls (default): nothing is sent before the connection is encrypted; implicit: it is from the start; none:
	// never, which is for this machine only.
	TLS string `yaml:"tls,omitempty"`
	// From is the address that mail is sent from.
	From string `yaml:"from"`
	// FromName is what stands before it.
	FromName string `yaml:"from_name,omitempty"`
	// User and Password sign in by PLAIN.
	User     string            `yaml:"user,omitempty"`
	Password connectors.Secret `yaml:"password,omitempty"`
	// OAuth signs User in by XOAUTH2, in place of a password.
	OAuth *OAuth `yaml:"oauth,omitempty"`
}

// OAuth is how access tokens are got: by client credentials, or by a refresh token where one is given.
type OAuth struct {
	TokenURL     string            `yaml:"token_url"`
	ClientID     string            `yaml:"client_id"`
	ClientSecret connectors.Secret `yaml:"client_secret"`
	Scopes       []string          `yaml:"scopes,omitempty"`
	RefreshToken connectors.Secret `yaml:"refresh_token,omitempty"`
}

// New returns the settings of a mail connection, to be decoded into and opened.
func New() connectors.Config { return &Config{} }

// Example is the least an operator has to write.
func (c *Config) Example() string {
	return "host: smtp.example.com\nfrom: drawbridge@example.com\nuser: drawbridge@example.com\npassword: {env: DRAWBRIDGE_SECRET_MAIL_PASSWORD}\n"
}

// Ways to encrypt.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	c.TLS = cmp.Or(c.TLS, tlsStart)
	if c.TLS == tlsImplicit {
		c.Port = cmp.Or(c.Port, 465)
	}
	c.Port = cmp.Or(c.Port, 587)
	return c
}

// faults returns everything that is wrong with c, joined, or nil.
func (c Config) faults() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Host == "" || strings.ContainsAny(c.Host, "/: @\r\n") {
		fault("host is the server's name, without scheme and port")
	}
	if c.Port < 1 || c.Port > 65535 {
		fault("port is a number up to 65535")
	}
	switch {
	case c.TLS != tlsStart && c.TLS != tlsImplicit && c.TLS != tlsNone:
		fault("tls is %s, %s or %s", tlsStart, tlsImplicit, tlsNone)
	case c.TLS == tlsNone && !connectors.Loopback(c.Host):
		fault("tls: without it mail, and the links in it, would be open to everybody on the way; only a server on this machine does without")
	}
	if !plainAddress(c.From) {
		fault("from is a plain mail address: drawbridge@example.com")
	}
	if strings.ContainsFunc(c.FromName, func(r rune) bool { return r < ' ' }) {
		fault("from_name holds a control character")
	}
	switch {
	case c.OAuth != nil && !c.Password.IsZero():
		fault("password and oauth: one of them")
	case c.User == "" && (c.OAuth != nil || !c.Password.IsZero()):
		fault("user is missing: who signs in")
	case c.User != "" && c.OAuth == nil && c.Password.IsZero():
		fault("password is missing, or oauth")
	}
	if strings.ContainsFunc(c.User, func(r rune) bool { return r < ' ' }) {
		fault("user holds a control character")
	}
	if o := c.OAuth; o != nil {
		if text := connectors.AddressFault(o.TokenURL); text != "" {
			fault("oauth.token_url %s", text)
		}
		if o.ClientID == "" || o.ClientSecret.IsZero() {
			fault("oauth.client_id or oauth.client_secret is missing")
		}
	}
	return errors.Join(faults...)
}

// plainAddress tells whether a text is a mail address that may stand in a header and an envelope as it is. One that looks
// like another, by letters outside ASCII, is none.
func plainAddress(text string) bool {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`,;:<>()[]"\`, r) }
	if len(text) > 254 || strings.ContainsFunc(text, unfit) || strings.Count(text, "@") != 1 {
		return false
	}
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && parsed.Name == ""
}
