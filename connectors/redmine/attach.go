package redmine

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Attach adds a file unless we attached one of the same name and size already. Redmine takes a file in one call and puts
// it on a ticket in the next; one whose second call was lost is taken again, and the first is thrown away by Redmine.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	name := markdown.FileName(f.Name, 150, `"'<>:|?*/%`)
	there, err := c.attached(ctx, id, name, int64(len(f.Content)))
	if err != nil || there {
		return err
	}
	var answer struct {
		Upload struct{ Token string }
	}
	call := connectors.Call{
		Name: "upload file", Method: http.MethodPost, URL: "uploads.json?filename=" + url.QueryEscape(name), Body: f.Content,
		Header: http.Header{"Content-Type": {"application/octet-stream"}},
	}
	if _, err := c.call(ctx, call, &answer); err != nil {
		return err
	}
	if answer.Upload.Token == "" {
		return connectors.InDoubt("upload file: the answer has no token")
	}
	upload := map[string]string{"token": answer.Upload.Token, "filename": name}
	if kind := markdown.Line(f.Type, 200); kind != "" {
		upload["content_type"] = kind
	}
	if err := c.put(ctx, "attach file", id, map[string]any{"uploads": []any{upload}}); err != nil {
		return err
	}
	there, err = c.attached(ctx, id, name, int64(len(f.Content)))
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	if !there {
		return connectors.Permanently("attach file: Redmine did not keep the file; the account may lack the permission edit_issues")
	}
	return nil
}

func (c *connector) attached(ctx context.Context, id, name string, size int64) (bool, error) {
	me, _, err := c.signIn(ctx)
	if err != nil {
		return false, err
	}
	i, err := c.issue(ctx, id, "attachments")
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(i.Attachments, func(a attachment) bool {
		return a.Name == name && a.Size == size && a.Author.ID == me.ID
	}), nil
}
