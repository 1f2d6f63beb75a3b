package rt

import (
	"context"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Attach adds a file in a comment, unless we attached one of the same name and size already. Request Tracker drops or
// cuts files beyond its own limit without a word, so the list is read again.
func (c *connector) Attach(ctx context.Context, ref connectors.Ref, f connectors.File) error {
	id, err := handle(ref)
	if err != nil {
		return err
	}
	if len(f.Content) == 0 {
		return connectors.Permanently("attach file: Request Tracker takes no empty file")
	}
	name, size := markdown.FileName(f.Name, 150, `"<>:|?*/;`), int64(len(f.Content))
	there, err := c.attached(ctx, id, name, size)
	if err != nil || there {
		return err
	}
	// Other letters than ASCII's only arrive as an encoded word.
	body := map[string]any{"Subject": noteSubject(""), "Attachments": []map[string]string{{
		"FileName": mime.QEncoding.Encode("utf-8", name), "FileType": fileType(f.Type), "FileContent": base64.StdEncoding.EncodeToString(f.Content),
	}}}
	if _, err := c.call(ctx, connectors.Call{Name: "attach file", Method: http.MethodPost, URL: "ticket/" + id + "/comment", JSON: body}, nil); err != nil {
		return err
	}
	there, err = c.attached(ctx, id, name, size)
	if err != nil {
		return connectors.Unconfirmed(err)
	}
	if !there {
		return connectors.Permanently("attach file: Request Tracker did not keep the file whole; its MaxAttachmentSize may be too small")
	}
	return nil
}

// fileType is the media type a file is kept under. Request Tracker writes texts anew in its own encoding, which would
// change the file.
func fileType(given string) string {
	kind := markdown.Line(given, 200)
	if kind == "" || strings.HasPrefix(kind, "text/") || strings.HasPrefix(kind, "message/") || strings.HasPrefix(kind, "multipart/") {
		return "application/octet-stream"
	}
	return kind
}

func (c *connector) attached(ctx context.Context, id, name string, size int64) (bool, error) {
	files, err := c.files(ctx, id)
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if info := c.file(f); info.Name == name && info.Size == size && info.By.Ours {
			return true, nil
		}
	}
	return false, nil
}

// files lists the attachments that are files; the texts of a ticket are attachments, too.
func (c *connector) files(ctx context.Context, id string) ([]attachment, error) {
	var out []attachment
	l := listing{fields: "Filename,ContentLength,Creator,Created", people: true}
	err := all(ctx, c, "read attachments", "ticket/"+id+"/attachments", l, func(a attachment) bool {
		if a.Filename != "" {
			out = append(out, a)
		}
		return true
	})
	return out, err
}

func (c *connector) file(a attachment) connectors.FileInfo {
	size, _ := a.Length.Int64()
	return connectors.FileInfo{ID: string(a.ID), Name: a.Filename, Size: size, By: c.account(a.Creator), At: a.Created.Time}
}
