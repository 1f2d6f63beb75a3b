package jirastandin

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
)

// maxAttachment is what one file may have.
const maxAttachment = 10 << 20

type fileWire struct {
	Self     string    `json:"self"`
	ID       string    `json:"id"`
	Filename string    `json:"filename"`
	Author   *userWire `json:"author"`
	Created  string    `json:"created"`
	Size     int       `json:"size"`
	MimeType string    `json:"mimeType"`
	Content  string    `json:"content"`
}

func (v view) files(files []*file) []fileWire {
	out := []fileWire{}
	for _, f := range files {
		id := strconv.Itoa(f.id)
		out = append(out, fileWire{
			Self: v.self("attachment", id), ID: id, Filename: f.name, Author: v.user(f.by), Created: v.stamp(f.at),
			Size: len(f.data), MimeType: f.kind, Content: v.self("attachment", "content", id),
		})
	}
	return out
}

// addAttachments takes the parts named file of a multipart body. Without the header that tells it from a forged form
// the call is refused.
func (c *call) addAttachments() (int, any, error) {
	i, err := c.issue()
	if err != nil {
		return 0, nil, err
	}
	if c.req.Header.Get("X-Atlassian-Token") != "no-check" {
		return 0, nil, &fault{status: http.StatusForbidden, text: "XSRF check failed"}
	}
	if err := c.need("CREATE_ATTACHMENTS", "You do not have permission to create attachments for this issue."); err != nil {
		return 0, nil, err
	}
	kind, params, err := mime.ParseMediaType(c.req.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return 0, nil, &fault{status: http.StatusUnsupportedMediaType, text: "Unsupported Media Type"}
	}
	files, err := readFiles(multipart.NewReader(bytes.NewReader(c.body), params["boundary"]))
	if err != nil {
		return 0, nil, err
	}
	var items []changeItem
	for _, f := range files {
		f.id, f.by, f.at = c.s.newID(), c.me, c.now
		i.files = append(i.files, f)
		items = append(items, changeItem{field: "Attachment", fieldID: "attachment", kind: "jira", to: strconv.Itoa(f.id), toText: f.name})
	}
	c.s.notify(updated, "issue_updated", i, c.me, c.s.apply(i, c.me, nil, items...), nil)
	return http.StatusOK, c.view.files(files), nil
}

func readFiles(r *multipart.Reader) ([]*file, error) {
	var files []*file
	for {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "The multipart body is broken.")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "The multipart body is broken.")
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		if len(data) > maxAttachment {
			return nil, refuse(http.StatusRequestEntityTooLarge, "The file exceeds the attachment limit of 10 MB.")
		}
		kind := part.Header.Get("Content-Type")
		if kind == "" {
			kind = "application/octet-stream"
		}
		files = append(files, &file{name: part.FileName(), kind: kind, data: data})
	}
	if len(files) == 0 {
		return nil, refuse(http.StatusBadRequest, "There is no part named 'file' in the body.")
	}
	return files, nil
}
