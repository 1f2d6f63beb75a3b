package servicedeskplus

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Attach adds a file unless one of the same name and size is there already.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	at, err := path(ref)
	if err != nil {
		return err
	}
	r, err := c.request(ctx, at)
	if err != nil {
		return err
	}
	name := markdown.FileName(f.Name, 150, `"'<>:|?*/%`)
	if slices.ContainsFunc(r.Attachments, func(a attachment) bool { return a.Name == name && int64(a.Size) == int64(len(f.Content)) }) {
		return nil
	}
	body, kind, err := form(name, f.Content)
	if err != nil {
		return connectors.Permanently("attach file: write form: %w", err)
	}
	_, err = c.exchange(ctx, connectors.Call{
		Name: "attach file", Method: http.MethodPost, URL: c.conf.BaseURL + "/api/v3/" + at + "/" + c.conf.Uploads, Body: body,
		Header: http.Header{"Accept": {c.conf.Accept}, "Content-Type": {kind}},
	}, nil)
	return err
}

func form(name string, content []byte) (body []byte, kind string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("filename", name)
	if err != nil {
		return nil, "", fmt.Errorf("add file: %w", err)
	}
	if _, err := part.Write(content); err != nil {
		return nil, "", fmt.Errorf("add file: %w", err)
	}
	if err := w.WriteField("addtoattachment", "true"); err != nil {
		return nil, "", fmt.Errorf("add field: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("end form: %w", err)
	}
	return b.Bytes(), w.FormDataContentType(), nil
}
