package connectors

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// File is an attachment. Where its content is text it is stored as text, so that whoever reads, edits or erases what is
// stored finds what stands in it.
type File struct {
	Name    string
	Type    string // media type
	Content []byte
}

// storedFile has one of Text and Content.
type storedFile struct {
	Name    string  `json:"name"`
	Type    string  `json:"type,omitempty"`
	Text    *string `json:"text,omitempty"`
	Content []byte  `json:"content,omitempty"`
}

// MarshalJSON writes content that is UTF-8 as text, and any other in base64.
func (f File) MarshalJSON() ([]byte, error) {
	s := storedFile{Name: f.Name, Type: f.Type}
	if utf8.Valid(f.Content) {
		text := string(f.Content)
		s.Text = &text
	} else {
		s.Content = f.Content
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing else.
func (f *File) UnmarshalJSON(data []byte) error {
	var s storedFile
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&s); err != nil {
		return err
	}
	*f = File{Name: s.Name, Type: s.Type, Content: s.Content}
	if s.Text != nil {
		f.Content = []byte(*s.Text)
	}
	return nil
}
