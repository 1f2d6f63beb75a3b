package connectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Placed are credentials that a vendor wants somewhere else than in a header of their own: in the path, the query or
// the JSON body, inside of a header, or as the whole URL. A call has a mark where the credential belongs; the credential
// takes its place, escaped for it, after everything else was decided. Marks are made so that nobody can guess one: what
// an event holds is never taken for a mark.
//
// It goes around all other ways to prove oneself, so it is the last given to With.
type Placed struct {
	Secrets map[string]Secret      // by mark: letters, digits and dashes
	Whole   string                 // mark of the credential that is the URL in whole; the call's URL is WholeURL(Whole)
	Finish  func(u *url.URL) error // has the last word on the URL, and may refuse it: for every call, where it does not say otherwise by an *Error; nil: any
}

// WholeURL stands for the URL that the credential with this mark is. Query parameters are added to those it has.
func WholeURL(mark string) string { return "https://" + mark + ".invalid/" }

func (p Placed) wrap(c *Client) http.RoundTripper { return &placer{placed: p, client: c} }

type placer struct {
	placed Placed
	client *Client
}

func (p *placer) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	if err := p.place(req, out); err != nil {
		closeBody(req)
		return nil, err
	}
	return p.client.tripper.RoundTrip(out)
}

func (p *placer) place(req, out *http.Request) error {
	values, err := p.reveal()
	if err != nil {
		return err
	}
	if out.URL, err = p.placed.finished(out.URL, values); err != nil {
		return err
	}
	out.Host = out.URL.Host
	for mark, value := range values {
		for name, list := range out.Header {
			for i, text := range list {
				out.Header[name][i] = strings.ReplaceAll(text, mark, value)
			}
		}
	}
	return placeInBody(req, out, values)
}

func (p *placer) reveal() (map[string]string, error) {
	values := make(map[string]string, len(p.placed.Secrets))
	for mark, secret := range p.placed.Secrets {
		value, err := p.client.vault.Reveal(secret)
		if err != nil {
			return nil, &Error{Kind: Unwell, Err: fmt.Errorf("credentials: %w", err)}
		}
		values[mark] = value
	}
	return values, nil
}

// finished is the URL with its credentials.
func (p Placed) finished(given *url.URL, values map[string]string) (*url.URL, error) {
	u := *given
	if p.Whole != "" && u.Host == p.Whole+".invalid" {
		whole, err := url.Parse(strings.TrimSpace(values[p.Whole]))
		if err != nil || whole.Host == "" || whole.Fragment != "" {
			return nil, &Error{Kind: Unwell, Err: fmt.Errorf("credentials: the secret is no URL")}
		}
		whole.RawQuery = strings.Trim(whole.RawQuery+"&"+u.RawQuery, "&")
		u = *whole
	}
	path, query := u.EscapedPath(), u.RawQuery
	for mark, value := range values {
		path = strings.ReplaceAll(path, mark, url.PathEscape(value))
		query = strings.ReplaceAll(query, mark, url.QueryEscape(value))
	}
	plainPath, err := url.PathUnescape(path)
	if err != nil {
		return nil, Permanently("the URL is not valid")
	}
	u.Path, u.RawPath, u.RawQuery = plainPath, path, query
	if p.Finish != nil {
		if err := p.Finish(&u); err != nil {
			if _, ok := errors.AsType[*Error](err); ok {
				return nil, err
			}
			return nil, &Error{Kind: Unwell, Err: err}
		}
	}
	return &u, nil
}

// placeInBody puts credentials into a JSON body, where it has a mark.
func placeInBody(req, out *http.Request, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	body, err := bodyOf(req)
	if err != nil {
		return &Error{Kind: Temporary, Err: err}
	}
	if len(body) == 0 {
		return nil
	}
	changed := body
	for mark, value := range values {
		changed = bytes.ReplaceAll(changed, []byte(mark), inJSON(value))
	}
	closeBody(req)
	out.Body = io.NopCloser(bytes.NewReader(changed))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(changed)), nil }
	out.ContentLength = int64(len(changed))
	return nil
}

// inJSON is a text as it stands between the quotes of JSON.
func inJSON(text string) []byte {
	quoted, _ := json.Marshal(text) // a string always can be
	return quoted[1 : len(quoted)-1]
}

// hide removes the credentials from a vendor's words, in every way they were written. Of a URL that is a credential the
// parts that could be one go too.
func (p *placer) hide(text string) string {
	for mark, secret := range p.placed.Secrets {
		value, err := p.client.vault.Reveal(secret)
		if err != nil {
			continue
		}
		text = hideEach(text, value, url.PathEscape(value), url.QueryEscape(value), string(inJSON(value)))
		if mark != p.placed.Whole {
			continue
		}
		if u, err := url.Parse(strings.TrimSpace(value)); err == nil {
			text = hideEach(text, u.RequestURI(), u.EscapedPath(), u.Path)
			for part := range strings.SplitSeq(u.Path, "/") {
				text = hideLong(text, part)
			}
			for _, list := range u.Query() {
				for _, one := range list {
					text = hideLong(text, one)
				}
			}
		}
	}
	return text
}

// hideLong leaves the short parts of a URL, which are words.
func hideLong(text, part string) string {
	if len(part) < 12 {
		return text
	}
	return hideEach(text, part, url.QueryEscape(part), string(inJSON(part)))
}
