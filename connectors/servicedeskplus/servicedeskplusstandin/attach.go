package servicedeskplusstandin

import (
	"io"
	"mime/multipart"
	"net/http"
)

func (c *call) attach() (any, error) {
	r, err := c.one()
	if err != nil {
		return nil, err
	}
	name, size, err := upload(c.r)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, file{c.s.next(), name, size, c.s.o.Account, c.now})
	r.updated = c.now
	return map[string]any{}, nil
}

// upload reads the one file of a form, and what says that it is to be an attachment.
func upload(r *http.Request) (name string, size int, err error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return "", 0, refuse(http.StatusUnsupportedMediaType, 4000, "Send a multipart form")
	}
	attach := false
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", 0, refuse(http.StatusBadRequest, 4000, "The form is broken")
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return "", 0, refuse(http.StatusBadRequest, 4000, "The form is broken")
		}
		name, size, attach = took(part, text, name, size, attach)
	}
	if name == "" || !attach {
		return "", 0, refuse(http.StatusBadRequest, 4012, "Mandatory field missing", "filename", "addtoattachment")
	}
	return name, size, nil
}

func took(part *multipart.Part, text []byte, name string, size int, attach bool) (string, int, bool) {
	switch part.FormName() {
	case "filename":
		return part.FileName(), len(text), attach
	case "addtoattachment":
		return name, size, string(text) == "true"
	default:
		return name, size, attach
	}
}
