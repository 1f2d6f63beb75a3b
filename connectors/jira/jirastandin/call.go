package jirastandin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one REST call being served.
type call struct {
	s       *Server
	req     *http.Request
	body    []byte
	args    map[string]string
	gateway *gateway // that the call came through; nil: none
	version int
	now     time.Time
	me      *account // nil for nobody
	view    view
}

// signIn finds out who calls, and what X-Seraph-LoginReason says about it.
func (c *call) signIn(rt route) (reason string, err error) {
	if c.gateway != nil {
		return c.signInByGateway(rt)
	}
	c.me = c.s.credentials(c.req)
	if c.me != nil {
		c.view.zone = c.me.zone
		return "OK", nil
	}
	if c.s.o.AnonymousReads && !rt.writes && rt.op != "myself" {
		return "AUTHENTICATED_FAILED", nil
	}
	header := http.Header{"Www-Authenticate": {`Basic realm="Jira stand-in"`}}
	return "AUTHENTICATED_FAILED", &fault{
		status: http.StatusUnauthorized, header: header, text: "Client must be authenticated to access this resource.",
	}
}

func (s *Server) credentials(r *http.Request) *account {
	user, token, basic := r.BasicAuth()
	if !basic {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if a, _ := s.bearer(token); a != nil && s.o.DataCenter && !basic {
		return a
	}
	for _, a := range s.accounts {
		if a.Token == "" || a.Token != token || a.Inactive || a.Scopes != nil {
			continue
		}
		if !basic || (s.o.DataCenter && user == a.Login) || (!s.o.DataCenter && user == a.Mail) {
			return a
		}
	}
	return nil
}

// issue is the ticket the path names. A ticket nobody may see is not there.
func (c *call) issue() (*issue, error) {
	i := c.s.find(c.args["issue"])
	if i == nil || c.me == nil || !c.s.may("BROWSE_PROJECTS", c.me) {
		return nil, refuse(http.StatusNotFound, "Issue does not exist or you do not have permission to see it.")
	}
	return i, nil
}

// need refuses a caller without a permission.
func (c *call) need(permission, message string) error {
	if c.me == nil || !c.s.may(permission, c.me) {
		return refuse(http.StatusForbidden, "%s", message)
	}
	return nil
}

// decode reads a JSON body. Fields the call does not have are ignored, as Jira does; strictly refuses them where Jira
// does.
func (c *call) decode(into any) error {
	return c.read(into, false)
}

func (c *call) strictly(into any) error {
	return c.read(into, true)
}

func (c *call) read(into any, strict bool) error {
	kind, _, err := mime.ParseMediaType(c.req.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &fault{status: http.StatusUnsupportedMediaType, text: "Unsupported Media Type"}
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "Invalid request payload. Refer to the REST API documentation and try again.")
	}
	return nil
}

// number reads a paging parameter; most caps it, 0 leaves it.
func (c *call) number(name string, otherwise, most int) (int, error) {
	text := c.req.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusBadRequest, "The value of '%s' must be a number that is not negative.", name)
	}
	if most > 0 {
		n = min(n, most)
	}
	return n, nil
}

// list reads a parameter that may be repeated and may hold several values with commas between.
func (c *call) list(name string) []string {
	var out []string
	for _, text := range c.req.URL.Query()[name] {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

func (c *call) expands(name string) bool {
	return slices.Contains(c.list("expand"), name)
}

// page is the part of a list that startAt and maxResults ask for.
func page[T any](all []T, start, size int) []T {
	start = min(start, len(all))
	return all[start:min(start+size, len(all))]
}
