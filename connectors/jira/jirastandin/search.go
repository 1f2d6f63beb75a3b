package jirastandin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hit is a ticket a search found, with the numbers it is ordered by.
type hit struct {
	issue *issue
	rank  []int64
}

// search runs a query on the index. Tickets in fresh are looked at as they are now instead.
func (c *call) search(text string, fresh []int) ([]hit, query, error) {
	q, err := parseJQL(text)
	if err != nil {
		return nil, q, err
	}
	checks, err := c.checks(q)
	if err != nil {
		return nil, q, err
	}
	var out []hit
	for _, i := range c.s.issues {
		known := i.known(c.now)
		if slices.Contains(fresh, i.id) {
			now := i.entry()
			known = &now
		}
		if known == nil || c.me == nil || !c.s.may("BROWSE_PROJECTS", c.me) {
			continue
		}
		if !slices.ContainsFunc(checks, func(fits check) bool { return !fits(i, known) }) {
			out = append(out, hit{issue: i, rank: rank(q.order, i, known)})
		}
	}
	slices.SortFunc(out, func(a, b hit) int { return slices.Compare(a.rank, b.rank) })
	return out, q, nil
}

// rank gives the numbers a ticket is ordered by, the id last so that no two are equal.
func rank(by []order, i *issue, known *indexed) []int64 {
	var out []int64
	for _, o := range by {
		n := int64(i.id)
		if at, ok := known.times[o.field]; ok {
			n = at.UnixNano()
		}
		if o.down {
			n = -n
		}
		out = append(out, n)
	}
	return append(out, int64(i.id))
}

type tokenSearch struct {
	JQL        string   `json:"jql"`
	Fields     []string `json:"fields"`
	MaxResults *int     `json:"maxResults"`
	Token      string   `json:"nextPageToken"`
	Reconcile  []int    `json:"reconcileIssues"`
	Properties []string `json:"properties"`
	Expand     string   `json:"expand"`
	ByKeys     bool     `json:"fieldsByKeys"`
}

// searchByToken is Cloud's search: fields default to the id alone, the query must restrict something, there is no
// total, and the next page is asked for by a token that fits the same query only.
func (c *call) searchByToken() (int, any, error) {
	ask, err := c.tokenSearch()
	if err != nil {
		return 0, nil, err
	}
	if len(ask.Reconcile) > 50 {
		return 0, nil, refuse(http.StatusBadRequest, "At most 50 issues can be reconciled.")
	}
	hits, q, err := c.search(ask.JQL, ask.Reconcile)
	if err != nil {
		return 0, nil, err
	}
	if len(q.terms) == 0 {
		return 0, nil, refuse(http.StatusBadRequest, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
	}
	if hits, err = c.after(ask, hits); err != nil {
		return 0, nil, err
	}
	want := wanted{fields: ask.Fields, properties: ask.Properties}
	if ask.Expand != "" {
		want.expand = strings.Split(ask.Expand, ",")
	}
	if len(want.fields) == 0 {
		want.fields = []string{"id"}
	}
	out := struct {
		Issues []issueWire `json:"issues"`
		Next   string      `json:"nextPageToken,omitempty"`
		IsLast bool        `json:"isLast"`
	}{Issues: []issueWire{}}
	shown := page(hits, 0, ask.size())
	for _, h := range shown {
		out.Issues = append(out.Issues, c.view.issue(h.issue, want))
	}
	out.IsLast = len(shown) == len(hits)
	if !out.IsLast {
		out.Next = pageToken{Query: digest(ask.JQL), After: shown[len(shown)-1].rank, At: c.now.Unix()}.String()
	}
	return http.StatusOK, out, nil
}

func (c *call) tokenSearch() (ask tokenSearch, err error) {
	if c.req.Method == http.MethodPost {
		err = c.strictly(&ask)
	} else {
		ask = tokenSearch{
			JQL: c.req.URL.Query().Get("jql"), Fields: c.list("fields"), Token: c.req.URL.Query().Get("nextPageToken"),
			Properties: c.list("properties"), Expand: strings.Join(c.list("expand"), ","),
		}
		size, wrong := c.number("maxResults", 50, 5000)
		ask.MaxResults, err = &size, wrong
		for _, id := range c.list("reconcileIssues") {
			n, _ := strconv.Atoi(id)
			ask.Reconcile = append(ask.Reconcile, n)
		}
	}
	if err == nil && ask.MaxResults != nil && *ask.MaxResults < 1 {
		err = refuse(http.StatusBadRequest, "The value of 'maxResults' must be a positive number.")
	}
	return ask, err
}

// size is the length of a page: as asked, up to 5000 tickets where only ids and keys are wanted, up to 100 else.
func (a tokenSearch) size() int {
	n, most := 50, 5000
	if a.MaxResults != nil {
		n = *a.MaxResults
	}
	if slices.ContainsFunc(a.Fields, func(f string) bool { return f != "id" && f != "key" }) || a.Expand != "" || len(a.Properties) > 0 {
		most = 100
	}
	return min(n, most)
}

// pageToken says after which ticket a page starts. It stays right when tickets before it come and go.
type pageToken struct {
	Query string  `json:"q"`
	After []int64 `json:"a"`
	At    int64   `json:"t"`
}

func (t pageToken) String() string {
	text, _ := json.Marshal(t) // numbers and texts always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

func digest(jql string) string {
	sum := sha256.Sum256([]byte(jql))
	return hex.EncodeToString(sum[:8])
}

// tokenLife is how long a page token is good for.
const tokenLife = 7 * 24 * time.Hour

func (c *call) after(ask tokenSearch, hits []hit) ([]hit, error) {
	if ask.Token == "" {
		return hits, nil
	}
	var t pageToken
	text, err := base64.RawURLEncoding.DecodeString(ask.Token)
	if err != nil || json.Unmarshal(text, &t) != nil || t.Query != digest(ask.JQL) || c.now.Sub(time.Unix(t.At, 0)) > tokenLife {
		return nil, refuse(http.StatusBadRequest, "The provided next page token is invalid or expired.")
	}
	return slices.DeleteFunc(hits, func(h hit) bool { return slices.Compare(h.rank, t.After) <= 0 }), nil
}

// searchByOffset is Data Center's search.
func (c *call) searchByOffset() (int, any, error) {
	var ask struct {
		JQL        string   `json:"jql"`
		StartAt    int      `json:"startAt"`
		MaxResults int      `json:"maxResults"`
		Fields     []string `json:"fields"`
		Expand     []string `json:"expand"`
		Properties []string `json:"properties"`
	}
	ask.MaxResults = 50
	var err error
	if c.req.Method == http.MethodPost {
		err = c.decode(&ask)
	} else {
		ask.JQL, ask.Fields, ask.Expand, ask.Properties = c.req.URL.Query().Get("jql"), c.list("fields"), c.list("expand"), c.list("properties")
		if ask.StartAt, err = c.number("startAt", 0, 0); err == nil {
			ask.MaxResults, err = c.number("maxResults", 50, 0)
		}
	}
	if err != nil {
		return 0, nil, err
	}
	if ask.StartAt < 0 || ask.MaxResults < 0 {
		return 0, nil, refuse(http.StatusBadRequest, "startAt and maxResults must not be negative.")
	}
	hits, _, err := c.search(ask.JQL, nil)
	if err != nil {
		return 0, nil, err
	}
	size := min(ask.MaxResults, 1000)
	want := wanted{fields: orAll(ask.Fields, "*navigable"), expand: ask.Expand, properties: ask.Properties}
	issues := []issueWire{}
	for _, h := range page(hits, ask.StartAt, size) {
		issues = append(issues, c.view.issue(h.issue, want))
	}
	return http.StatusOK, map[string]any{"startAt": ask.StartAt, "maxResults": size, "total": len(hits), "issues": issues}, nil
}

// removedSearch answers as Cloud does since it removed the old search.
func (c *call) removedSearch() (int, any, error) {
	return 0, nil, refuse(http.StatusGone, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046")
}
