package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// tooling is a connection whose sender asks for tokens.
const tooling = `verify:
  oauth:
    client_id: tool
    client_secrets: [{value: typed-s3cret}]
    user: epm
    passwords: [{value: typed-passw0rd}]
`

func (g *timed) token(t *testing.T, r TokenRequest) string {
	t.Helper()
	answer, err := g.Token(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Type != "Bearer" || answer.Seconds != 600 || !strings.HasPrefix(answer.Token, "dbt_") {
		t.Errorf("got %+v", answer)
	}
	return answer.Token
}

// withSecret is a request of the grant of client credentials, withPassword one of the other.
func withSecret(secret string) TokenRequest {
	return TokenRequest{Way: store.ByClientCredentials, ClientID: "tool", Secrets: []string{secret}, Peer: here}
}

func withPassword(secret, user, password string) TokenRequest {
	r := withSecret(secret)
	r.Way, r.User, r.Passwords = store.ByPassword, user, []string{password}
	return r
}

// good tells whether a token lets a request in.
func (g *timed) good(t *testing.T, token string) bool {
	t.Helper()
	status, refusal := g.status(t, call("r-1", here, "Authorization", "Bearer "+token))
	if status != 200 && status != 401 {
		t.Fatalf("got %d, %+v", status, refusal)
	}
	if status == 401 && (refusal.Challenge != `Bearer realm="drawbridge", error="invalid_token"` || strings.Contains(refusal.Text+fmt.Sprint(refusal.Cause), token)) {
		t.Errorf("the refusal is %+v", refusal)
	}
	return status == 200
}

func TestTokensOfBothGrants(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	for name, r := range map[string]TokenRequest{
		"client credentials": withSecret("typed-s3cret"),
		"password":           withPassword("typed-s3cret", "epm", "typed-passw0rd"),
	} {
		if token := g.token(t, r); !g.good(t, token) || g.good(t, token[:len(token)-1]+"!") || g.good(t, token+"x") {
			t.Errorf("%s: the token is not good, or another is", name)
		}
	}
	if g.good(t, "typed-s3cret") || g.good(t, "dbt_"+strings.Repeat("A", 43)) {
		t.Error("what is no token lets in")
	}
	entries, err := g.store.Records(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	issued := 0
	for _, e := range entries {
		if e.Kind == "token.issued" && e.Subject == "probe" && strings.Contains(fmt.Sprintf("%s", e.Content), `"peer":"192.0.2.1"`) {
			issued++
		}
	}
	if issued != 2 {
		t.Errorf("%d of 2 tokens are in the record", issued)
	}
	for _, secret := range []string{"typed-s3cret", "typed-passw0rd", "dbt_"} {
		if found := g.find(t, secret); found != "" {
			t.Errorf("%q stands in %s", secret, found)
		}
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	public := strings.Replace(strings.Replace(probing("verify: {oauth: {user: epm, passwords: [{value: typed-passw0rd}]}}"), "name: probe", "name: public", 1), "probe\n", "probe\n", 1)
	none := strings.Replace(probing("verify: {oauth: {}}"), "name: probe", "name: none", 1)
	closed := strings.Replace(probing("verify: {oauth: {client_secrets: [{value: typed-s3cret}]}}"), "name: probe", "name: closed\nstate: disabled", 1)
	elsewhere := strings.Replace(probing("from: [198.51.100.0/24]\nverify: {oauth: {client_secrets: [{value: typed-s3cret}]}}"), "name: probe", "name: elsewhere", 1)
	g := newTimed(t, probing(tooling), public, none, closed, elsewhere)
	change := func(r TokenRequest, id string) TokenRequest { r.ClientID = id; return r }
	without := func(r TokenRequest) TokenRequest { r.Secrets = nil; return r }
	for name, test := range map[string]struct {
		request TokenRequest
		code    string // empty: a token
	}{
		"another grant":                     {TokenRequest{Way: "authorization_code", ClientID: "tool"}, UnsupportedWay},
		"a client nobody has":               {change(withSecret("typed-s3cret"), "stranger"), InvalidClient},
		"a wrong secret":                    {withSecret("guess"), InvalidClient},
		"no secret":                         {without(withSecret("")), InvalidClient},
		"the password as the secret":        {withSecret("typed-passw0rd"), InvalidClient},
		"a password without the secret":     {without(withPassword("", "epm", "typed-passw0rd")), InvalidClient},
		"a wrong password":                  {withPassword("typed-s3cret", "epm", "guess"), InvalidGrant},
		"another user":                      {withPassword("typed-s3cret", "root", "typed-passw0rd"), InvalidGrant},
		"no user":                           {withPassword("typed-s3cret", "", "typed-passw0rd"), InvalidGrant},
		"a public client":                   {without(change(withPassword("", "epm", "typed-passw0rd"), "public")), ""},
		"a public client with some secret":  {change(withPassword("whatever", "epm", "typed-passw0rd"), "public"), ""},
		"a public client without password":  {change(withSecret("typed-passw0rd"), "public"), InvalidClient},
		"a client without any secret":       {change(withSecret(""), "none"), InvalidClient},
		"a client without user":             {change(withPassword("typed-s3cret", "epm", "typed-passw0rd"), "closed"), UnauthorizedClient},
		"a disabled connection":             {change(withSecret("typed-s3cret"), "closed"), UnauthorizedClient},
		"a disabled connection, wrong":      {change(withSecret("guess"), "closed"), InvalidClient},
		"an address that may not":           {change(withSecret("typed-s3cret"), "elsewhere"), InvalidClient},
		"a client that is named in letters": {change(withSecret("typed-s3cret"), "TOOL"), InvalidClient},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := g.Token(t.Context(), test.request)
			refusal, ok := errors.AsType[*TokenRefusal](err)
			if test.code == "" {
				if err != nil {
					t.Errorf("got %v, want a token", err)
				}
				return
			}
			if !ok || refusal.Code != test.code {
				t.Fatalf("got %v, want %s", err, test.code)
			}
			for _, secret := range []string{"typed-", "guess", "whatever"} {
				if strings.Contains(refusal.Error()+fmt.Sprint(refusal.Cause), secret) {
					t.Errorf("%v gives something away (%v)", refusal, refusal.Cause)
				}
			}
		})
	}
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	token := g.token(t, withSecret("typed-s3cret"))
	for after, want := range map[time.Duration]bool{0: true, TokenLife - time.Millisecond: true} {
		g.put(after)
		if g.good(t, token) != want {
			t.Errorf("after %s: not good", after)
		}
	}
	g.put(TokenLife) // and what was remembered a moment ago is no longer
	if g.good(t, token) {
		t.Error("it is good for ever")
	}
	if err := g.keepDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.put(TokenLife + time.Second)
	if err := g.keepDoor(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.store.Token(t.Context(), hashOf(token)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is kept for ever: %v", err)
	}
}

func TestTokensAreRevoked(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	token := g.token(t, withSecret("typed-s3cret"))
	if !g.good(t, token) {
		t.Fatal("it was never good")
	}
	// By another program: in force once what was seen is looked up again.
	if err := g.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.RevokeTokens(t.Context(), "probe", "", g.now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	g.put(tokenSeenFor)
	if g.good(t, token) {
		t.Error("after five seconds it is still good")
	}
	// By this one: at once.
	token = g.token(t, withSecret("typed-s3cret"))
	if !g.good(t, token) {
		t.Fatal("it was never good")
	}
	if n, err := g.RevokeTokens(t.Context(), "probe", "kim", "lost"); err != nil || n != 1 {
		t.Errorf("revoked %d, %v", n, err)
	}
	if g.good(t, token) {
		t.Error("it is still good")
	}
	if !g.good(t, g.token(t, withSecret("typed-s3cret"))) {
		t.Error("the next one is not good")
	}
}

func TestTokensAreForOneConnection(t *testing.T) {
	t.Parallel()
	other := strings.Replace(probing("verify: {oauth: {client_secrets: [{value: other-s3cret}]}}"), "name: probe", "name: other", 1)
	g := newTimed(t, probing(tooling), other)
	theirs, ours := g.token(t, TokenRequest{Way: store.ByClientCredentials, ClientID: "other", Secrets: []string{"other-s3cret"}, Peer: here}), g.token(t, withSecret("typed-s3cret"))
	if g.good(t, theirs) {
		t.Error("a token for another connection is good")
	}
	// The client id goes to another connection: tokens of the first stay behind.
	g.apply(t, probing(strings.Replace(tooling, "client_id: tool", "client_id: tool-2", 1)), strings.Replace(other, "oauth: {", "oauth: {client_id: tool, ", 1))
	if g.good(t, ours) {
		t.Error("a token for the former client id is good")
	}
	if _, err := g.Accept(t.Context(), "other", "", call("r-2", here, "Authorization", "Bearer "+ours)); err == nil {
		t.Error("a token for the former connection is good")
	}
}

func TestOneClientIDIsOneConnection(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	twin := strings.Replace(probing("verify: {oauth: {client_id: tool}}"), "name: probe", "name: twin", 1)
	if _, err := g.Apply(t.Context(), texts(twin), "tester", ""); err == nil || !strings.Contains(err.Error(), `Connection twin: inbound.verify.oauth.client_id: probe has the client id "tool" already`) {
		t.Errorf("got %v", err)
	}
	// Published past us, it is nobody's.
	if err := g.store.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.PutDocument(t.Context(), store.Document{Kind: kindConnection, Name: "twin", Text: twin, At: decidedAt})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := g.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Token(t.Context(), withSecret("typed-s3cret")); err == nil {
		t.Error("a client id of two connections is taken for one of them")
	}
}

func TestTokenGuessesAreLimited(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {oauth: {client_id: tool}}"))
	made, err := g.MakeSecret(t.Context(), "probe", "kim", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"tool", "stranger"} {
		looked := 0
		for range 3 * wrongBurst {
			r := withSecret("guess")
			r.ClientID = id
			_, err := g.Token(t.Context(), r)
			refusal, late := errors.AsType[*Refusal](err)
			if !late {
				looked++
			} else if refusal.Status != 429 || refusal.RetryAfter <= 0 {
				t.Fatalf("got %+v", refusal)
			}
		}
		if looked != wrongBurst {
			t.Errorf("%s: %d guesses were looked at, want %d", id, looked, wrongBurst)
		}
	}
	r := withSecret(made.Secret)
	if _, err := g.Token(t.Context(), r); err == nil {
		t.Error("after too many guesses the right one is looked at")
	}
	if r.Peer = there; g.token(t, r) == "" {
		t.Error("somebody else is kept out")
	}
}

func TestTokensAreIssuedAtALimitedRate(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {oauth: {client_id: tool}}"))
	made, err := g.MakeSecret(t.Context(), "probe", "kim", "")
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for range issueBurst + 10 {
		_, err := g.Token(t.Context(), withSecret(made.Secret))
		if refusal, ok := errors.AsType[*Refusal](err); ok && (refusal.Status != 429 || refusal.RetryAfter <= 0) {
			t.Fatalf("got %+v", refusal)
		}
		if err == nil {
			given++
		}
	}
	if given != issueBurst {
		t.Errorf("%d tokens were given, want %d", given, issueBurst)
	}
}

// A database that does not answer is no reason to tell a tool that its token is wrong.
func TestTokensThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing(tooling))
	token := g.token(t, withSecret("typed-s3cret"))
	if !g.good(t, token) {
		t.Fatal("it was never good")
	}
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	g.put(tokenSeenFor)
	if status, refusal := g.status(t, call("r-1", here, "Authorization", "Bearer "+token)); status != 503 || refusal.RetryAfter <= 0 {
		t.Errorf("got %d, %+v", status, refusal)
	}
	if _, err := g.Token(t.Context(), withSecret("typed-s3cret")); err == nil {
		t.Error("a token was given")
	} else if _, ok := errors.AsType[*TokenRefusal](err); ok {
		t.Errorf("the client is told it is wrong: %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := g.Token(ended, withSecret("typed-s3cret")); err == nil {
		t.Error("a token was given to nobody")
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	tokens := newTokens(nil, func() time.Time { return decidedAt })
	for n := range mostSeen + 100 {
		tokens.remember(fmt.Sprint(n), seenToken{until: decidedAt.Add(time.Duration(n%2) * time.Second)}, decidedAt)
	}
	if len(tokens.seen) > mostSeen {
		t.Errorf("%d tokens are remembered", len(tokens.seen))
	}
}

func TestPeersAreWritten(t *testing.T) {
	t.Parallel()
	if got := peerText(netip.Addr{}) + peerText(here); got != "192.0.2.1" {
		t.Errorf("got %q", got)
	}
}

func TestPasswordsAreNotGuessedBehindTheAddressOfWhoWasRight(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {oauth: {client_id: tool, user: epm, passwords: [{value: typed-passw0rd}]}}"))
	right := withPassword("", "epm", "typed-passw0rd")
	g.token(t, right)
	looked := 0
	for n := range 2 * wrongBurst {
		_, err := g.Token(t.Context(), withPassword("", "epm", fmt.Sprint("guess", n)))
		if _, wrong := errors.AsType[*TokenRefusal](err); wrong {
			looked++
		} else if refusal, late := errors.AsType[*Refusal](err); !late || refusal.Status != 429 || refusal.RetryAfter <= 0 {
			t.Fatalf("got %v", err)
		}
	}
	if looked != wrongBurst {
		t.Errorf("%d guesses were looked at, want %d", looked, wrongBurst)
	}
	g.token(t, right) // who was right goes on being
}

func TestBasicPasswordsAreNotGuessedBehindTheAddressOfWhoWasRight(t *testing.T) {
	t.Parallel()
	g := newTimed(t, probing("verify: {basic: {user: epm, passwords: [{value: typed-passw0rd}]}}"))
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("epm:"+password))
	}
	post := func(password string) int {
		status, _ := g.status(t, call("r-"+password, here, "Authorization", basic(password)))
		return status
	}
	answers := map[int]int{}
	answers[post("typed-passw0rd")]++
	for n := range 2 * wrongBurst {
		answers[post(fmt.Sprint("guess", n))]++
	}
	answers[post("typed-passw0rd")]++
	if answers[200] != 2 || answers[401] != wrongBurst || answers[429] != wrongBurst {
		t.Errorf("answered %v", answers)
	}
}
