package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// compiler makes calls and paths of settings and collects what is wrong with them.
type compiler struct {
	faults
	config Config
	client *connectors.Client // with the credentials of settings.auth
}

// auth picks the one way that is configured.
func (c *compiler) auth(client *connectors.Client) {
	var ways []connectors.Auth
	a := c.config.Auth
	if a.Basic != nil {
		c.text("auth.basic.user", a.Basic.User)
		c.secret("auth.basic.password", a.Basic.Password)
		ways = append(ways, connectors.Basic{User: a.Basic.User, Password: a.Basic.Password})
	}
	if a.Bearer != nil {
		c.secret("auth.bearer.token", a.Bearer.Token)
		ways = append(ways, connectors.Bearer{Token: a.Bearer.Token})
	}
	if a.Header != nil {
		c.ownHeader("auth.header.name", a.Header.Name)
		c.secret("auth.header.value", a.Header.Value)
		ways = append(ways, connectors.Headers{a.Header.Name: a.Header.Value})
	}
	if o := a.OAuth; o != nil {
		c.secureURL("auth.oauth.token_url", o.TokenURL)
		c.text("auth.oauth.client_id", o.ClientID)
		c.secret("auth.oauth.client_secret", o.ClientSecret)
		ways = append(ways, connectors.ClientCredentials{TokenURL: o.TokenURL, ID: o.ClientID, Secret: o.ClientSecret, Scopes: strings.Fields(o.Scope)})
	}
	if len(ways) > 1 {
		c.add("auth", "is one of basic, bearer, header and oauth, not several")
	}
	c.client = client
	if len(ways) > 0 {
		c.client = client.With(ways[0])
	}
}

// purpose is what a call is for: where it is configured, its name in errors, and its method where none is set.
type purpose struct{ path, name, method string }

// exchange compiles a call. Its secrets go into the client, which never shows them.
func (c *compiler) exchange(p purpose, call Call, names mapping.Names) *exchange {
	c.among(p.path+".method", call.Method, "", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
	c.among(p.path+".encoding", call.Encoding, "", "json", "form")
	headers, secrets := c.headers(p.path+".headers", call.Headers)
	parts := map[string]any{"headers": headers}
	if call.Body != nil {
		parts["body"] = call.Body
	}
	client := c.client
	if len(secrets) > 0 {
		client = client.With(secrets)
	}
	return &exchange{
		name: p.name, method: cmp.Or(call.Method, p.method), form: call.Encoding == "form", client: client,
		address: c.address(p.path+".url", call.URL, names), parts: c.setting(p.path, parts, names),
	}
}

// headers tells the secrets among the headers of a call from the texts.
func (c *compiler) headers(path string, given map[string]HeaderValue) (texts map[string]any, secrets connectors.Headers) {
	texts, secrets = map[string]any{}, connectors.Headers{}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at, canonical := path+"."+name, http.CanonicalHeaderKey(name)
		c.ownHeader(at, name)
		if seen[canonical] {
			c.add(at, "is there twice")
		}
		seen[canonical] = true
		switch value := given[name]; {
		case !value.Secret.IsZero():
			secrets[name] = value.Secret
		case canonical == "Authorization":
			c.add(at, "holds credentials: give it as a secret, or use settings.auth")
		default:
			texts[name] = value.Text
		}
	}
	return texts, secrets
}

func (c *compiler) ping() *exchange {
	if c.config.Ping == nil {
		return nil
	}
	return c.exchange(purpose{"ping", "ping", http.MethodGet}, *c.config.Ping, nil)
}

func (c *compiler) decision(d Decision) *decisionCall {
	names := decisionNames(c.config.carried())
	call := &decisionCall{
		exchange: c.exchange(purpose{"decision", "post decision", http.MethodPost}, d.Call, names),
		words:    c.words(d.Words), ok: d.OK,
	}
	success := len(d.OK) == 0
	for i, status := range d.OK {
		success = success || status/100 == 2
		if !canMeanTaken(status) {
			c.add(fmt.Sprintf("decision.ok[%d]", i), "%d cannot mean that the decision was taken", status)
		}
	}
	if !success {
		c.add("decision.ok", "lists no success (2xx)")
	}
	if d.Taken != "" {
		call.taken = c.finder([]path{{name: takenPath, text: d.Taken}}, withAnswer(names))
	}
	return call
}

// canMeanTaken leaves out what is said of the connection, the moment or the address, and never of the decision.
func canMeanTaken(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status/100 == 2 || status/100 == 4
}

// state compiles the question what became of a request that was told in these words.
func (c *compiler) state(s State, told map[connectors.Outcome]string) *stateCall {
	names := decisionNames(c.config.carried())
	if s.Outcome == "" {
		c.add("decision.state.outcome", "is missing: where the answer says what became of the request")
	}
	return &stateCall{
		exchange: c.exchange(purpose{"decision.state", "read request state", http.MethodGet}, s.Call, names),
		finder:   c.finder([]path{{name: outcomePath, text: s.Outcome}, {name: statePathBy, text: s.By}, {name: statePathTime, text: s.At}}, withAnswer(names)),
		meaning:  c.meaning(told, s.Words),
		told:     told, times: timeFormat(c.config.TimeFormat),
	}
}

// words returns the tool's names of the two outcomes.
func (c *compiler) words(given map[string]string) map[connectors.Outcome]string {
	words := map[connectors.Outcome]string{connectors.Approved: "approved", connectors.Denied: "denied"}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		outcome, path := connectors.Outcome(name), "decision.words."+name
		if _, known := words[outcome]; !known {
			c.add(path, "the outcomes are approved and denied")
			continue
		}
		c.text(path, given[name])
		words[outcome] = given[name]
	}
	if strings.EqualFold(words[connectors.Approved], words[connectors.Denied]) {
		c.add("decision.words", "approved and denied are the same")
	}
	return words
}

// meaning says what a word in an answer means. A word of the operator's wins over ours, but not over what we told.
func (c *compiler) meaning(told map[connectors.Outcome]string, given map[string]string) map[string]connectors.Outcome {
	ours := []connectors.Outcome{connectors.Approved, connectors.Denied, connectors.Pending, connectors.Expired}
	meaning := map[string]connectors.Outcome{}
	for _, outcome := range ours {
		meaning[string(outcome)] = outcome
	}
	for outcome, word := range told {
		meaning[strings.ToLower(word)] = outcome
	}
	seen := map[string]connectors.Outcome{}
	for _, word := range slices.Sorted(maps.Keys(given)) {
		outcome, small, path := connectors.Outcome(given[word]), strings.ToLower(word), "decision.state.words."+word
		if !slices.Contains(ours, outcome) {
			c.add(path, "means pending, approved, denied or expired")
		}
		for sent, is := range told {
			if strings.EqualFold(is, word) && sent != outcome {
				c.add(path, "is what we tell as %s", sent)
			}
		}
		if was, twice := seen[small]; twice && was != outcome {
			c.add(path, "already means %s", was)
		}
		seen[small], meaning[small] = outcome, outcome
	}
	return meaning
}

// address compiles a URL. Its host is written out, so that no value can send our credentials elsewhere.
func (c *compiler) address(path, text string, names mapping.Names) *address {
	compiled, err := mapping.CompileSettingText(path, text, names)
	if err != nil {
		c.compile(err)
		return nil
	}
	a := &address{text: compiled, query: map[int]bool{}}
	var sample strings.Builder
	inQuery := false
	for i, piece := range compiled.Pieces() {
		if piece.Expression {
			if !hasHost(sample.String()) {
				c.add(path, "starts with https:// and a host, written out up to the / after it")
				return nil
			}
			a.query[i] = inQuery
			sample.WriteString("x")
			continue
		}
		sample.WriteString(piece.Text)
		inQuery = inQuery || strings.Contains(piece.Text, "?")
	}
	u := c.secureURL(path, sample.String())
	if u == nil {
		return nil
	}
	if connectors.Climbs(u) {
		c.add(path, "has a step upwards in its path")
	}
	a.host = u.Scheme + "://" + u.Host
	return a
}

// hasHost tells whether the scheme and host of a URL are complete.
func hasHost(start string) bool {
	_, rest, ok := strings.Cut(start, "://")
	return ok && strings.ContainsAny(rest, "/?")
}

// setting compiles a value and notes every fault in it.
func (c *compiler) setting(path string, value any, names mapping.Names) *mapping.Setting {
	compiled, err := mapping.CompileSetting(path, value, names)
	c.compile(err)
	return compiled
}

// compile notes the faults of expressions, which name their place.
func (c *compiler) compile(err error) {
	var found mapping.Errors
	if !errors.As(err, &found) {
		return
	}
	for _, one := range found {
		c.add(one.Field, "%s", one.Message)
	}
}
