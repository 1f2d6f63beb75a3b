package freshworks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/markdown"
)

// Update changes the fields given. Labels are added to the tags there are.
func (d *Desk) Update(ctx context.Context, ref connectors.Ref, t connectors.Ticket, keyField string) error {
	k, id, err := d.Handle(ref)
	if err != nil {
		return err
	}
	body, err := d.Body(ctx, k, t, keyField)
	if err != nil {
		return fmt.Errorf("update ticket: %w", err)
	}
	if len(t.Labels) > 0 && k.Prefix == "" {
		there, err := d.Read(ctx, k, id)
		if err != nil {
			return err
		}
		if tags := Tags(there.Tags, t.Labels); len(tags) > len(there.Tags) {
			body["tags"] = tags
		}
	}
	if len(body) == 0 {
		return nil
	}
	_, err = d.Put(ctx, "update ticket", k, id, body)
	return err
}

// Transition brings a ticket to a status, by name or number, with the fields it takes. Fields a desk demands for closing
// and does not get are named in the error.
func (d *Desk) Transition(ctx context.Context, ref connectors.Ref, m connectors.Move, keyField string) error {
	k, id, err := d.Handle(ref)
	if err != nil {
		return err
	}
	if m.Status == "" {
		return connectors.Permanently("transition: no status is given")
	}
	there, err := d.Read(ctx, k, id)
	if err != nil {
		return err
	}
	to, err := d.statusNumber(ctx, k, m.Status)
	if err != nil {
		return fmt.Errorf("transition: %w", err)
	}
	if there.Status != to {
		if err := d.move(ctx, k, id, to, m, keyField); err != nil {
			return err
		}
	}
	if m.Note == nil {
		return nil
	}
	return d.Comment(ctx, ref, *m.Note)
}

func (d *Desk) move(ctx context.Context, k Kind, id int64, to int, m connectors.Move, keyField string) error {
	name := fmt.Sprintf("transition to %q", connectors.Clean(m.Status, 100))
	body, err := d.Body(ctx, k, connectors.Ticket{Fields: m.Fields}, keyField)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	body["status"] = to
	after, err := d.Put(ctx, name, k, id, body)
	if err != nil {
		return err
	}
	if after.ID == id && after.Status == to {
		return nil
	}
	// The answer proves nothing, or a rule moved the ticket on at once.
	if after, err = d.Read(ctx, k, id); err != nil {
		return connectors.Unconfirmed(err)
	}
	if after.Status != to {
		is, _ := d.statusName(ctx, k, after.Status)
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf("%s: the ticket is %q; a rule may have moved it", name, connectors.Clean(is, 100))}
	}
	return nil
}

// Attach adds a file by a private note, unless we attached one of the same name and size already. limit is the most the
// desk takes.
func (d *Desk) Attach(ctx context.Context, ref connectors.Ref, f connectors.File, limit int) error {
	k, id, err := d.Handle(ref)
	if err != nil {
		return err
	}
	if len(f.Content) > limit {
		return connectors.Permanently("attach file: it is larger than the %d MB %s takes", limit>>20, d.Vendor)
	}
	me, err := d.Me(ctx)
	if err != nil {
		return err
	}
	notes, err := d.notes(ctx, k, id)
	if err != nil {
		return err
	}
	name := fileName(f.Name)
	for _, n := range notes {
		if n.UserID == me && slices.ContainsFunc(n.Attachments, func(a Attachment) bool { return a.Name == name && a.bytes() == int64(len(f.Content)) }) {
			return nil
		}
	}
	body, kind, err := form(k, name, f)
	if err != nil {
		return connectors.Permanently("attach file: %w", err)
	}
	var made Note
	call := connectors.Call{
		Name: "attach file", Method: http.MethodPost, URL: fmt.Sprintf("%s/%d/notes", k.Path, id), Body: body, Header: http.Header{"Content-Type": {kind}},
	}
	if _, err := d.Call(ctx, call, k.OneNote, &made); err != nil {
		return err
	}
	if len(made.Attachments) == 0 {
		return &connectors.Error{Kind: connectors.Permanent, Sent: true, Err: fmt.Errorf("attach file: %s did not keep the file", d.Vendor)}
	}
	return nil
}

// boundary parts the form's fields; it is always the same, so that the same file is always sent in the same words.
const boundary = "drawbridge-7d41c0b5e2a94f60"

func form(k Kind, name string, f connectors.File) (body []byte, kind string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		return nil, "", err
	}
	fields := [][2]string{{"body", "<p>Attached by Drawbridge.</p>"}}
	if !k.Internal {
		fields = append(fields, [2]string{"private", "true"})
	}
	for _, field := range fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, "", err
		}
	}
	media := markdown.Line(f.Type, 200)
	if media == "" {
		media = "application/octet-stream"
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="attachments[]"; filename="%s"`, name)}, "Content-Type": {media},
	})
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(f.Content); err != nil {
		return nil, "", err
	}
	err = w.Close()
	return b.Bytes(), w.FormDataContentType(), err
}

// fileName is a name without what would need an escape in a form.
func fileName(name string) string { return markdown.FileName(name, 150, "\"'<>:|?*/%;") }

// Fetch reads a ticket with its notes. What the desks do not tell, who moved a ticket, is not in its history; what
// people answered by notes is.
func (d *Desk) Fetch(ctx context.Context, ref connectors.Ref) (connectors.Snapshot, Ticket, Kind, error) {
	fail := func(err error) (connectors.Snapshot, Ticket, Kind, error) {
		return connectors.Snapshot{}, Ticket{}, Kind{}, connectors.Unsent(err)
	}
	k, id, err := d.Handle(ref)
	if err != nil {
		return fail(err)
	}
	me, err := d.Me(ctx)
	if err != nil {
		return fail(err)
	}
	t, err := d.Read(ctx, k, id)
	if err != nil {
		return fail(err)
	}
	notes, err := d.notes(ctx, k, id)
	if err != nil {
		return fail(err)
	}
	status, err := d.statusName(ctx, k, t.Status)
	if err != nil {
		return fail(err)
	}
	key, err := d.proven(ctx, k, t, me, notes)
	if err != nil {
		return fail(err)
	}
	out := d.snapshot(k, t, me, notes)
	out.Status, out.Key, out.Ours = status, key, key != ""
	out.Creator = d.Account(t.RequesterID, me)
	out.Creator.Automation = false
	if out.Ours {
		out.Creator = d.Account(me, me)
	} else {
		out.Creator.Ours = false
	}
	return out, t, k, nil
}

// proven is our key where the ticket is ours: the ticket and its seal say the same. A ticket of ours without a seal gets
// one now.
func (d *Desk) proven(ctx context.Context, k Kind, t Ticket, me int64, notes []Note) (string, error) {
	by, fault := sealed(k, t.ID, me, notes)
	on, err := d.key(ctx, k, t)
	if err != nil || fault || on == "" {
		return "", err
	}
	if by == "" {
		hits, err := d.find(ctx, on)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(hits, func(h hit) bool { return h.ticket.ID == t.ID && h.kind.Prefix == k.Prefix }) {
			return "", nil
		}
		if broken(me, notes) >= maxSeals {
			return "", connectors.Permanently("seal ticket: %s changed every note that makes it ours; nothing can be decided on it", d.Called(k, t))
		}
		if err := d.Seal(ctx, k, t.ID, on); err != nil {
			return "", err
		}
		by = on
	}
	if by != on {
		return "", nil
	}
	if d.Mend != nil {
		if err := d.Mend(ctx, k, t, on); err != nil {
			return "", err
		}
	}
	return on, nil
}

// snapshot is a ticket without what takes further calls.
func (d *Desk) snapshot(k Kind, t Ticket, me int64, notes []Note) connectors.Snapshot {
	out := connectors.Snapshot{
		Ref: d.Ref(k, t), Summary: t.Subject, Description: t.Description, Category: "open", Created: t.Created.UTC(), Updated: t.Updated.UTC(),
		Fields: simple(t),
	}
	if slices.Contains(k.Closed, t.Status) {
		out.Category = "closed"
	}
	if out.Priority = strconv.Itoa(t.Priority); t.Priority >= 1 && t.Priority <= len(priorities) {
		out.Priority = priorities[t.Priority-1]
	}
	var answer, reason string
	out.History, answer, reason = connectors.Words(d.Answers).Steps(d.said(k, notes, me))
	out.Fields[connectors.AnswerField], out.Fields[connectors.AnswerReason] = answer, reason
	for _, a := range t.Attachments { // the desks do not tell who put these there
		out.Files = append(out.Files, connectors.FileInfo{ID: strconv.FormatInt(a.ID, 10), Name: a.Name, Size: a.bytes(), At: a.Created.UTC()})
	}
	for _, n := range notes {
		for _, a := range n.Attachments {
			at := a.Created
			if at.IsZero() {
				at = n.Created
			}
			out.Files = append(out.Files, connectors.FileInfo{
				ID: strconv.FormatInt(a.ID, 10), Name: a.Name, Size: a.bytes(), By: d.Account(n.UserID, me), At: at.UTC(),
			})
		}
	}
	return out
}

// elsewhere are parts of a ticket that a snapshot has in places of their own, and what is no field.
var elsewhere = []string{
	"id", "subject", "description", "description_text", "structured_description", "status", "priority", "attachments", "custom_fields", "conversations", "requester", "stats",
	"created_at", "updated_at", "deleted", "spam",
}

// simple is a ticket's fields in the form rules compare with, custom ones by name among the others.
func simple(t Ticket) map[string]any {
	out := map[string]any{}
	for id, raw := range t.raw {
		if slices.Contains(elsewhere, id) {
			continue
		}
		if v, ok := plain(raw); ok {
			out[id] = v
		}
	}
	for id, v := range t.CustomFields {
		if _, taken := out[id]; !taken && v != nil {
			out[id] = v
		}
	}
	return out
}

// Raw is a part of a ticket as the desk sent it.
func (t Ticket) Raw(name string) json.RawMessage { return t.raw[name] }
