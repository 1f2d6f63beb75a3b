package jira

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Attach adds a file unless we attached one of the same name and size already.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	name := line(markdown.FileName(f.Name, 200, `"<>:|?*/`), 200)
	there, err := c.attached(ctx, ref, name, int64(len(f.Content)))
	if err != nil || there {
		return connectors.Unsent(err)
	}
	body, kind, err := form(name, f)
	if err != nil {
		return connectors.Permanently("attach file: write request: %w", err)
	}
	to, err := c.issue(ref, "/attachments")
	if err != nil {
		return err
	}
	req, err := c.jira.NewMultiPartRequestWithContext(ctx, http.MethodPost, to, body)
	if err != nil {
		return connectors.Permanently("attach file: write request: %w", err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("X-Atlassian-Token", "no-check") // the documented spelling, not go-jira's
	return c.do("attach file", req, nil)
}

func form(name string, f connectors.File) (*bytes.Buffer, string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", name))
	header.Set("Content-Type", "application/octet-stream")
	if kind := markdown.Line(f.Type, 200); kind != "" {
		header.Set("Content-Type", kind)
	}
	part, err := w.CreatePart(header)
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(f.Content); err != nil {
		return nil, "", err
	}
	return &body, w.FormDataContentType(), w.Close()
}

func (c *connector) attached(ctx context.Context, ref connectors.Ref, name string, size int64) (bool, error) {
	me, err := c.account(ctx)
	if err != nil {
		return false, err
	}
	path, err := c.issue(ref, "?fields=attachment")
	if err != nil {
		return false, err
	}
	var i issue
	if err := c.get(ctx, "read attachments", path, &i); err != nil {
		return false, err
	}
	var files []attachment
	i.field("attachment", &files)
	for _, f := range files {
		if f.Name == name && f.Size == size && f.Author.seenBy(me).Ours {
			return true, nil
		}
	}
	return false, nil
}
