package servicenow

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Attach adds a file unless we attached one of the same name and size already.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	at, err := c.place(ref)
	if err != nil {
		return err
	}
	if len(f.Content) == 0 {
		return connectors.Permanently("attach file: the file is empty")
	}
	name := markdown.FileName(f.Name, 100, `"'<>:|?*/%&`)
	files, err := c.files(ctx, at)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(files, func(r record) bool {
		return r["file_name"] == name && r.count("size_bytes") == int64(len(f.Content)) && c.ours(r)
	}) {
		return nil
	}
	values := url.Values{"table_name": {at.table}, "table_sys_id": {at.id}, "file_name": {name}}
	var made record
	call := connectors.Call{
		Name: "attach file", Method: http.MethodPost, URL: "/api/now/attachment/file?" + values.Encode(), Body: f.Content,
		Header: http.Header{"Content-Type": {cmp.Or(markdown.Line(f.Type, 200), "application/octet-stream")}},
	}
	if _, err := c.call(ctx, call, &made); err != nil {
		return err
	}
	if !recordID.MatchString(made[sysID]) {
		fault := connectors.Temporarily("attach file: the answer names no file")
		fault.Sent = true
		return fault
	}
	return nil
}

// files are the attachments of a ticket, oldest first.
func (c *connector) files(ctx context.Context, at place) ([]record, error) {
	rows, err := c.all(ctx, listing{
		name: "read attachments", table: "sys_attachment", where: []condition{is("table_name", at.table), is("table_sys_id", at.id)},
		fields: []string{sysID, "table_name", "table_sys_id", "file_name", "size_bytes", sysCreatedBy, sysCreated},
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r record) bool { return r["table_name"] != at.table || r["table_sys_id"] != at.id })
	slices.SortStableFunc(rows, func(a, b record) int { return a.at(sysCreated).Compare(b.at(sysCreated)) })
	return rows, nil
}
