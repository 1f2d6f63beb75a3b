package verify

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func (v *Verifier) basic(c *connectors.BasicCheck, h http.Header) (string, error) {
	if _, err := only(h, "Authorization"); err != nil {
		return "", err
	}
	user, password, ok := (&http.Request{Header: h}).BasicAuth()
	if !ok {
		return "", forged("header Authorization holds no Basic credentials")
	}
	known := same([]byte(user), []byte(c.User)) == 1
	used, ok := v.matches(password, c.Passwords)
	if !known || !ok {
		return "", forged("the user or the password is wrong")
	}
	return used, nil
}

func (v *Verifier) bearer(c *connectors.BearerCheck, h http.Header) (string, error) {
	token, err := bearerToken(h)
	if err != nil {
		return "", err
	}
	used, ok := v.matches(token, c.Tokens)
	if !ok {
		return "", forged("the bearer token is wrong")
	}
	return used, nil
}

func bearerToken(h http.Header) (string, error) {
	text, err := only(h, "Authorization")
	if err != nil {
		return "", err
	}
	scheme, token, ok := strings.Cut(text, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", forged("header Authorization holds no bearer token")
	}
	return token, nil
}

func (v *Verifier) header(c *connectors.HeaderCheck, h http.Header) (string, error) {
	text, err := only(h, c.Name)
	if err != nil {
		return "", err
	}
	used, ok := v.matches(text, c.Values)
	if !ok {
		return "", forged("the value of header %s is wrong", http.CanonicalHeaderKey(c.Name))
	}
	return used, nil
}

func (v *Verifier) token(c *connectors.TokenCheck, u *url.URL, pathToken string) (string, error) {
	var tokens []string
	if pathToken != "" {
		tokens = append(tokens, pathToken)
	}
	if u != nil {
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return "", forged("the query cannot be read")
		}
		tokens = append(tokens, query["token"]...)
	}
	switch {
	case len(tokens) > 1:
		return "", forged("the token is there more than once")
	case len(tokens) == 0 || tokens[0] == "":
		return "", forged("the token is missing")
	}
	used, ok := v.matches(tokens[0], c.Tokens)
	if !ok {
		return "", forged("the token is wrong")
	}
	return used, nil
}

// Redact returns a copy of u without what carries credentials: ?token=, in any spelling, and user information. The
// rest of the query stays as it was written. A token in the path is the caller's to cut off, who knows the route.
func Redact(u *url.URL) *url.URL {
	if u == nil {
		return nil
	}
	clean := *u
	clean.User = nil
	if u.RawQuery == "" {
		return &clean
	}
	var kept []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		// A semicolon separates for some readers, and hides a token from us.
		if err != nil || strings.Contains(pair, ";") || strings.EqualFold(name, "token") {
			continue
		}
		kept = append(kept, pair)
	}
	clean.RawQuery = strings.Join(kept, "&")
	return &clean
}
