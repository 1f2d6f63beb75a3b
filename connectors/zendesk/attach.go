package zendesk

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// maxFile is the largest file Zendesk takes.
const maxFile = 50 << 20

// Attach adds a file in a private comment unless we attached one of the same name and size already. Zendesk takes a file
// in one call and puts it on a ticket in the next; one whose second call was lost is taken again, and the first is
// thrown away by Zendesk within the hour.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if len(f.Content) == 0 || len(f.Content) > maxFile {
		return connectors.Permanently("attach file: Zendesk takes files of up to 50 MB, and none that are empty")
	}
	me, err := c.account(ctx)
	if err != nil {
		return err
	}
	audits, err := c.audits(ctx, id)
	if err != nil {
		return err
	}
	name := markdown.FileName(f.Name, 150, `"'<>:|?*/%{}`)
	for _, e := range comments(audits) {
		for _, a := range e.Attachments {
			if e.Author == me.ID && a.Name == name && a.Size == int64(len(f.Content)) {
				return nil
			}
		}
	}
	var answer struct{ Upload struct{ Token string } }
	call := connectors.Call{
		Name: "upload file", Method: http.MethodPost, URL: "uploads?filename=" + url.QueryEscape(name), Body: f.Content,
		Header: http.Header{"Content-Type": {cmp.Or(mediaType(f.Type), "application/octet-stream")}},
	}
	if _, err := c.call(ctx, call, &answer); err != nil {
		return err
	}
	if answer.Upload.Token == "" {
		return connectors.InDoubt("upload file: the answer has no token")
	}
	return c.say(ctx, "attach file", id, map[string]any{
		"html_body": rendered("Attached: "+markdown.Escape(name), ""), "public": false, "uploads": []string{answer.Upload.Token},
	})
}

// mediaType is a type as a header may hold it.
func mediaType(kind string) string {
	if slices.ContainsFunc([]rune(kind), func(r rune) bool { return r < ' ' || r > '~' }) || !strings.Contains(kind, "/") {
		return ""
	}
	return kind
}
