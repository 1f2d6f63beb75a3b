package preset

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// open picks the way to prove ourselves and finds out where calls go.
func (c *Config) open(s *sink) {
	s.marks = map[string]any{}
	placed := connectors.Placed{Secrets: map[string]connectors.Secret{}, Finish: s.finish}
	for name, secret := range c.secrets {
		mark := newMark()
		s.marks[name], placed.Secrets[mark] = mark, secret
	}
	s.client = s.env.Client
	if plan, ok := c.pick(s); ok {
		s.auth = plan
		if way := c.way(s, plan); way != nil {
			s.client = s.client.With(way)
		}
	}
	if len(c.faults) > 0 {
		return
	}
	s.confirms = c.preset.confirm != nil && s.holds(c.preset.confirm.when)
	packing, err := c.preset.packing.Fill(context.Background(), s.names(nil), asItIs)
	if err != nil || !slices.Contains([]string{"", "none", "gzip"}, packing) {
		c.faults = append(c.faults, inField("request.compression", "settings: the compression is neither none nor gzip"))
	}
	s.gzip = packing == "gzip"
	origin, err := s.target(context.Background(), s.names(nil), true)
	if err != nil {
		c.faults = append(c.faults, inField("request.url", "settings: the URL: %w", err))
		return
	}
	for _, mark := range s.marks {
		if origin == connectors.WholeURL(mark.(string)) {
			placed.Whole = mark.(string)
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		c.faults = append(c.faults, inField("request.url", "settings: they make no URL"))
		return
	}
	if placed.Whole == "" && strings.Contains(u.Host, markStart) {
		c.faults = append(c.faults, inField("request.url", "settings: a secret stands in the host of the URL; it has its place in the path or the query, or is the URL as a whole"))
		return
	}
	s.origin = u.Scheme + "://" + u.Host
	if placed.Whole == "" {
		if err := s.finish(u); err != nil {
			c.faults = append(c.faults, inField("request.url", "settings: %w", err))
		}
	} else {
		s.whole = true
	}
	s.client = s.client.With(placed)
}

// newMark is what stands for a credential until the last moment.
func newMark() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return markStart + hex.EncodeToString(b[:])
}

const markStart = "mark-"

// holds tells whether a condition over params is true; none always is.
func (s *sink) holds(when *mapping.Setting) bool {
	return when == nil || isTrue(context.Background(), when, s.names(nil))
}

// pick returns the first way whose condition holds.
func (c *Config) pick(s *sink) (authPlan, bool) {
	for _, plan := range c.preset.auth {
		if !s.holds(plan.when) {
			continue
		}
		if plan.Secret != "" && c.secrets[plan.Secret].IsZero() {
			c.fault(plan.Secret, "is missing; write {env: DRAWBRIDGE_SECRET_NAME}, {file: NAME} or {value: ...}")
			return plan, false
		}
		return plan, true
	}
	c.faults = append(c.faults, errors.New("settings: no way to prove ourselves fits them"))
	return authPlan{}, false
}

// way is for what is no mere text in a place; that is done by marks.
func (c *Config) way(s *sink, a authPlan) connectors.Auth {
	text := func(name string) string {
		value, err := a.texts[name].Fill(context.Background(), s.names(nil), asItIs)
		if err != nil {
			c.faults = append(c.faults, fmt.Errorf("settings: %w", err))
		}
		return value
	}
	secret := c.secrets[a.Secret]
	switch a.Kind {
	case "basic":
		return connectors.Basic{User: text("username"), Password: secret}
	case "standard_webhooks":
		secrets := []connectors.Secret{secret}
		if previous := c.secrets[a.Previous]; !previous.IsZero() {
			secrets = append(secrets, previous)
		}
		return connectors.SignedWebhook{Secrets: secrets}
	case "oauth2_cc", "oauth2_jwt":
		tokenURL := text("oauth.token_url")
		if fault := connectors.AddressFault(tokenURL); fault != "" {
			c.faults = append(c.faults, fmt.Errorf("settings: the URL of the token server %s", fault))
		}
		if text("oauth.client_id") == "" {
			c.faults = append(c.faults, errors.New("settings: the id of the client is missing"))
		}
		if a.Kind == "oauth2_cc" {
			return connectors.ClientCredentials{TokenURL: tokenURL, ID: text("oauth.client_id"), Secret: secret, Scopes: strings.Fields(text("oauth.scope"))}
		}
		return connectors.PrivateKeyJWT{TokenURL: tokenURL, ID: text("oauth.client_id"), Key: secret, KeyID: text("oauth.key_id"), Scopes: strings.Fields(text("oauth.scope"))}
	default:
		return nil
	}
}

func asItIs(_ int, value string) (string, error) { return value, nil }

// finish has the last word on where a call goes.
func (s *sink) finish(u *url.URL) error {
	if s.address != nil {
		u.Scheme, u.Host = s.address.Scheme, s.address.Host
		return nil
	}
	if s.origin != "" && !s.whole && u.Scheme+"://"+u.Host != s.origin {
		return connectors.Permanently("a record would send the call to another host")
	}
	if u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !connectors.Loopback(u.Hostname())) {
		return errors.New("the URL has to start with https:// and holds no user")
	}
	r := s.preset.doc.Request
	if port := u.Port(); port != "" && port != "443" && len(r.AllowHosts)+len(r.AllowPorts) > 0 && !slices.ContainsFunc(r.AllowPorts, func(n int) bool { return fmt.Sprint(n) == port }) {
		return fmt.Errorf("port %s is none this vendor is called at", port)
	}
	host := strings.ToLower(u.Hostname())
	if len(r.AllowHosts) > 0 && !slices.ContainsFunc(r.AllowHosts, func(glob string) bool { ok, _ := path.Match(glob, host); return ok }) {
		return errors.New("the host is none of this vendor's; settings.address names another server")
	}
	return nil
}

// target fills in the URL. A probe fills in what only a record knows with something, to learn the server.
func (s *sink) target(ctx context.Context, in map[string]any, probe bool) (string, error) {
	in = with(in, "secret", s.marks)
	pieces := s.preset.url.Pieces()
	var before strings.Builder
	text, err := s.preset.url.Fill(ctx, in, func(piece int, value string) (string, error) {
		before.Reset()
		for _, one := range pieces[:piece] {
			if one.Expression {
				before.WriteString("x")
			}
			before.WriteString(one.Text)
		}
		head := before.String()
		_, rest, scheme := strings.Cut(head, "://")
		switch {
		case strings.Contains(head, "?"):
			return url.QueryEscape(value), nil
		case head == "": // the start of the URL is the operator's
			for _, mark := range s.marks {
				if value == mark && len(pieces) == 1 {
					return connectors.WholeURL(value), nil
				}
			}
			return value, nil
		case scheme && !strings.Contains(rest, "/"):
			if !hostText.MatchString(value) {
				return "", errors.New("a value in the host of the URL is no name of a host")
			}
			return value, nil
		case value == "" && probe:
			return "x", nil
		case value == "":
			return "", inField("request.url", "a value in the path of the URL is empty")
		default:
			return url.PathEscape(value), nil
		}
	})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the values do not fit into the URL")
	}
	if connectors.Climbs(u) {
		return "", errors.New("a value makes a step upwards in the path of the URL")
	}
	return text, nil
}

// call fills in everything of a call but its body.
func (s *sink) call(ctx context.Context, in map[string]any) (connectors.Call, error) {
	p := s.preset
	call := connectors.Call{Name: "send", Method: p.doc.Request.Method, Header: http.Header{}}
	if call.Method == "" {
		call.Method = http.MethodPost
	}
	var err error
	if call.URL, err = s.target(ctx, in, false); err != nil {
		return call, connectors.Permanently("send: %w", err)
	}
	query, err := texts(ctx, p.query, in)
	if err != nil {
		return call, connectors.Permanently("send: %w", err)
	}
	headers, err := texts(ctx, p.headers, in)
	if err != nil {
		return call, connectors.Permanently("send: %w", err)
	}
	for _, one := range headers {
		if slices.Contains(p.doc.Request.Percent, one[0]) {
			one[1] = percent(one[1])
		}
		if strings.ContainsFunc(one[1], control) {
			return call, connectors.Permanently("send: %w", inField("request.headers."+one[0], "header %s is not a text on one line", one[0]))
		}
		call.Header.Set(one[0], one[1])
	}
	call.URL = withQuery(call.URL, query)
	s.prove(&call)
	return call, nil
}

// prove puts the mark of the credential into the header or the query, where it belongs there.
func (s *sink) prove(call *connectors.Call) {
	mark, _ := s.marks[s.auth.Secret].(string)
	switch s.auth.Kind {
	case "header":
		call.Header.Set(s.auth.Header, s.auth.Scheme+mark)
	case "query":
		call.URL = withQuery(call.URL, [][2]string{{s.auth.Param, mark}})
	}
}

func withQuery(address string, query [][2]string) string {
	for _, one := range query {
		separator := "?"
		if strings.Contains(address, "?") {
			separator = "&"
		}
		address += separator + url.QueryEscape(one[0]) + "=" + url.QueryEscape(one[1])
	}
	return address
}

// texts fills in texts; those of nothing are left out.
func texts(ctx context.Context, list []namedText, in map[string]any) ([][2]string, error) {
	var out [][2]string
	for _, one := range list {
		text, err := one.text.Fill(ctx, in, asItIs)
		if err != nil {
			return nil, err
		}
		if text != "" {
			out = append(out, [2]string{one.name, text})
		}
	}
	return out, nil
}

// percent encodes as the HTTP binding of CloudEvents says: what is no printable ASCII, space, quotation mark and percent.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// with returns in and one value more.
func with(in map[string]any, name string, value any) map[string]any {
	out := make(map[string]any, len(in)+1)
	maps.Copy(out, in)
	out[name] = value
	return out
}
