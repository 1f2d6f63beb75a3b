package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Merge returns what is checked: the scheme that given picks, with whatever it leaves out taken from defaults where
// they have the same scheme. Nothing given means the defaults, which then have to hold secrets of their own. Accepting
// anybody takes an explicit none; no vendor can make it the default. Every fault is reported at once.
func Merge(defaults, given connectors.Verification) (connectors.Verification, error) {
	names := schemes(given)
	if len(names) > 1 {
		return connectors.Verification{}, fmt.Errorf("verification: %s are given, one is wanted", strings.Join(names, " and "))
	}
	if len(names) == 0 {
		defaults.None = false
		names = schemes(defaults)
		if _, secrets := secretsOf(&defaults); len(names) != 1 || len(secrets) == 0 {
			return connectors.Verification{}, errors.New("verification: nothing is configured; " + advice(names))
		}
		given = connectors.Verification{}
		choose(&given, names[0])
	}
	merged := fill(defaults, given)
	if err := errors.Join(faults(merged)...); err != nil {
		return connectors.Verification{}, err
	}
	return merged, nil
}

// advice names the setting that is missing.
func advice(defaults []string) string {
	if len(defaults) == 1 {
		return "the vendor's scheme is " + defaults[0] + ": set " + secretsPath[defaults[0]]
	}
	return "set one of basic, bearer, header, token, hmac, standard_webhooks, jwt, oauth, certificate and issuer"
}

var secretsPath = map[string]string{
	"basic":             "verification.basic.user and verification.basic.passwords",
	"bearer":            "verification.bearer.tokens",
	"header":            "verification.header.values",
	"token":             "verification.token.tokens",
	"hmac":              "verification.hmac.secrets",
	"standard_webhooks": "verification.standard_webhooks.secrets",
	"jwt":               "verification.jwt.secrets",
}

func schemes(v connectors.Verification) []string {
	var names []string
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"none", v.None},
		{"basic", v.Basic != nil},
		{"bearer", v.Bearer != nil},
		{"header", v.Header != nil},
		{"token", v.Token != nil},
		{"hmac", v.HMAC != nil},
		{"standard_webhooks", v.StandardWebhooks != nil},
		{"jwt", v.JWT != nil},
		{"oauth", v.OAuth != nil},
		{"certificate", v.Certificate != nil},
		{"issuer", v.Issuer != nil},
	} {
		if s.set {
			names = append(names, s.name)
		}
	}
	return names
}

// choose makes a scheme that takes all it has from the defaults.
func choose(v *connectors.Verification, scheme string) {
	switch scheme {
	case "basic":
		v.Basic = &connectors.BasicCheck{}
	case "bearer":
		v.Bearer = &connectors.BearerCheck{}
	case "header":
		v.Header = &connectors.HeaderCheck{}
	case "token":
		v.Token = &connectors.TokenCheck{}
	case "hmac":
		v.HMAC = &connectors.HMACCheck{}
	case "standard_webhooks":
		v.StandardWebhooks = &connectors.StandardWebhooks{}
	case "jwt":
		v.JWT = &connectors.JWTCheck{}
	}
}

// fill copies given's scheme and takes its zero fields from the same scheme of d. Neither argument is changed or
// shared.
func fill(d, given connectors.Verification) connectors.Verification {
	merged := connectors.Verification{None: given.None}
	switch {
	case given.Basic != nil:
		c, from := *given.Basic, orZero(d.Basic)
		merged.Basic = &connectors.BasicCheck{User: cmp.Or(c.User, from.User), Passwords: orList(c.Passwords, from.Passwords)}
	case given.Bearer != nil:
		c, from := *given.Bearer, orZero(d.Bearer)
		merged.Bearer = &connectors.BearerCheck{Tokens: orList(c.Tokens, from.Tokens)}
	case given.Header != nil:
		c, from := *given.Header, orZero(d.Header)
		merged.Header = &connectors.HeaderCheck{Name: cmp.Or(c.Name, from.Name), Values: orList(c.Values, from.Values)}
	case given.Token != nil:
		c, from := *given.Token, orZero(d.Token)
		merged.Token = &connectors.TokenCheck{Tokens: orList(c.Tokens, from.Tokens)}
	case given.HMAC != nil:
		c, from := *given.HMAC, orZero(d.HMAC)
		merged.HMAC = &connectors.HMACCheck{
			Header:        cmp.Or(c.Header, from.Header),
			Prefix:        cmp.Or(c.Prefix, from.Prefix),
			Algorithm:     cmp.Or(c.Algorithm, from.Algorithm),
			Encoding:      cmp.Or(c.Encoding, from.Encoding),
			Timestamp:     cmp.Or(c.Timestamp, from.Timestamp),
			Lead:          cmp.Or(c.Lead, from.Lead),
			Separator:     cmp.Or(c.Separator, from.Separator),
			List:          cmp.Or(c.List, from.List),
			TimestampPart: cmp.Or(c.TimestampPart, from.TimestampPart),
			Signed:        cmp.Or(c.Signed, from.Signed),
			Window:        cmp.Or(c.Window, from.Window),
			Secrets:       orList(c.Secrets, from.Secrets),
		}
	case given.StandardWebhooks != nil:
		c, from := *given.StandardWebhooks, orZero(d.StandardWebhooks)
		merged.StandardWebhooks = &connectors.StandardWebhooks{Window: cmp.Or(c.Window, from.Window), Secrets: orList(c.Secrets, from.Secrets)}
	case given.JWT != nil:
		c, from := *given.JWT, orZero(d.JWT)
		merged.JWT = &connectors.JWTCheck{Skew: cmp.Or(c.Skew, from.Skew), Secrets: orList(c.Secrets, from.Secrets)}
	case given.OAuth != nil: // what follows knows no vendor's defaults
		c := *given.OAuth
		c.ClientSecrets, c.Passwords = slices.Clone(c.ClientSecrets), slices.Clone(c.Passwords)
		merged.OAuth = &c
	case given.Certificate != nil:
		c := *given.Certificate
		c.Subjects, c.SANs, c.Fingerprints = slices.Clone(c.Subjects), slices.Clone(c.SANs), slices.Clone(c.Fingerprints)
		merged.Certificate = &c
	case given.Issuer != nil:
		c := *given.Issuer
		c.Claims = maps.Clone(c.Claims)
		merged.Issuer = &c
	}
	return merged
}

func orZero[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func orList(given, otherwise []connectors.Secret) []connectors.Secret {
	if len(given) == 0 {
		given = otherwise
	}
	return slices.Clone(given)
}

// faults checks a merged scheme.
func faults(v connectors.Verification) []error {
	var list []error
	wrong := func(format string, args ...any) { list = append(list, fmt.Errorf("verification."+format, args...)) }
	secrets := func(path string, given []connectors.Secret) {
		if len(given) == 0 {
			wrong("%s is empty", path)
		}
		if len(given) > 2 {
			wrong("%s holds %d secrets; two are enough for a rotation", path, len(given))
		}
		for i, s := range given {
			if s.IsZero() {
				wrong("%s[%d] is empty", path, i)
			}
		}
	}
	switch {
	case v.Basic != nil:
		if v.Basic.User == "" {
			wrong("basic.user is empty")
		}
		secrets("basic.passwords", v.Basic.Passwords)
	case v.Bearer != nil:
		secrets("bearer.tokens", v.Bearer.Tokens)
	case v.Header != nil:
		if v.Header.Name == "" {
			wrong("header.name is empty")
		}
		secrets("header.values", v.Header.Values)
	case v.Token != nil:
		secrets("token.tokens", v.Token.Tokens)
	case v.HMAC != nil:
		c := v.HMAC
		if c.Header == "" {
			wrong("hmac.header is empty")
		}
		if hashes[c.Algorithm] == nil {
			wrong("hmac.algorithm is sha256, sha512 or sha1")
		}
		if decoders[c.Encoding] == nil {
			wrong("hmac.encoding is hex or base64")
		}
		stamped := c.Timestamp != "" || c.TimestampPart != ""
		if !stamped && (c.Separator != "" || c.Lead != "" || c.Window != 0) {
			wrong("hmac.timestamp_header is empty, which lead, separator and window need")
		}
		if c.TimestampPart != "" && (c.Timestamp != "" || c.List == "") {
			wrong("hmac.timestamp_part is for a timestamp in the list of the signature's header")
		}
		if c.Signed != "" && (c.Lead != "" || c.Separator != "" || stamped != strings.Contains(c.Signed, "{timestamp}") || !strings.Contains(c.Signed, "{body")) {
			wrong("hmac.signed says all that is signed: the body, and the timestamp where there is one; without lead and separator")
		}
		if c.Window < 0 {
			wrong("hmac.window is negative")
		}
		secrets("hmac.secrets", c.Secrets)
	case v.StandardWebhooks != nil:
		if v.StandardWebhooks.Window < 0 {
			wrong("standard_webhooks.window is negative")
		}
		secrets("standard_webhooks.secrets", v.StandardWebhooks.Secrets)
	case v.JWT != nil:
		if v.JWT.Skew < 0 || v.JWT.Skew > longestSkew {
			wrong("jwt.skew is at most %s", longestSkew)
		}
		secrets("jwt.secrets", v.JWT.Secrets)
	case v.OAuth != nil:
		oauthFaults(v.OAuth, wrong)
	case v.Certificate != nil:
		certificateFaults(v.Certificate, wrong)
	case v.Issuer != nil:
		issuerFaults(v.Issuer, wrong)
	}
	return list
}

// secretsOf returns the secrets of a scheme that has any, and where in it they stand.
func secretsOf(v *connectors.Verification) (path string, secrets []connectors.Secret) {
	switch {
	case v.Basic != nil:
		return "passwords", v.Basic.Passwords
	case v.Bearer != nil:
		return "tokens", v.Bearer.Tokens
	case v.Header != nil:
		return "values", v.Header.Values
	case v.Token != nil:
		return "tokens", v.Token.Tokens
	case v.HMAC != nil:
		return "secrets", v.HMAC.Secrets
	case v.StandardWebhooks != nil:
		return "secrets", v.StandardWebhooks.Secrets
	case v.JWT != nil:
		return "secrets", v.JWT.Secrets
	default:
		return "", nil
	}
}

// referencesOf returns everything that has to be revealed before it can be compared.
func referencesOf(v *connectors.Verification) []connectors.Secret {
	_, references := secretsOf(v)
	if v.OAuth != nil {
		for _, h := range slices.Concat(v.OAuth.ClientSecrets, v.OAuth.Passwords) {
			if s := h.Secret(); !s.IsZero() {
				references = append(references, s)
			}
		}
	}
	return references
}
