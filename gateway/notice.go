package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// NoticeView is something an admin should look at.
type NoticeView struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Subject  string    `json:"subject"`
	Text     string    `json:"text"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Count    int64     `json:"count"`
	Closed   time.Time `json:"closed,omitzero"`
	ClosedBy string    `json:"closed_by,omitempty"`
}

// NoticeList is what Notices answers.
type NoticeList struct {
	Notices []NoticeView `json:"notices"`
}

const noticeLimit = 200

// Notices lists what an admin should look at, the latest first; with closed also what was closed or ended by itself.
func (g *Gateway) Notices(ctx context.Context, closed bool) (NoticeList, error) {
	stored, err := g.store.Notices(ctx, closed, noticeLimit)
	list := NoticeList{Notices: make([]NoticeView, len(stored))}
	for i, n := range stored {
		list.Notices[i] = viewNotice(n)
	}
	return list, err
}

func viewNotice(n store.Notice) NoticeView {
	return NoticeView{ID: n.ID, Kind: n.Kind, Subject: n.Subject, Text: n.Text, First: n.First.UTC(), Last: n.Last.UTC(), Count: n.Count, Closed: n.ClosedAt, ClosedBy: n.ClosedBy}
}

// CloseNotice closes a notice on somebody's word. What a source sends now is then what is expected of it.
func (g *Gateway) CloseNotice(ctx context.Context, id, who string) (NoticeView, error) {
	now := g.now()
	var closed store.Notice
	err := g.store.InTx(ctx, func(tx *store.Tx) (err error) {
		if closed, err = tx.CloseNotice(ctx, id, who, now); err != nil {
			return err
		}
		if closed.Kind == noticeShape {
			if err := forgetField(ctx, tx, closed.Subject, now); err != nil {
				return err
			}
		}
		return tx.Record(ctx, store.Entry{At: now, Kind: "notice.closed", Subject: closed.Subject, Content: map[string]any{"notice": id, "kind": closed.Kind, "text": closed.Text, "who": who}})
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return NoticeView{}, &Refusal{Status: http.StatusNotFound, Text: "there is no such notice", Cause: err}
	case errors.Is(err, store.ErrConflict):
		return NoticeView{}, &Refusal{Status: http.StatusConflict, Text: "the notice is closed already", Cause: err}
	case err != nil:
		return NoticeView{}, fmt.Errorf("close notice: %w", err)
	}
	return viewNotice(closed), nil
}

// forgetField lets a field, and what is in it, be learned anew.
func forgetField(ctx context.Context, tx *store.Tx, subject string, now time.Time) error {
	parts := strings.SplitN(subject, "/", 3)
	if len(parts) < 3 {
		return nil
	}
	locked, err := tx.LockShape(ctx, parts[0], parts[1])
	if err != nil {
		return err
	}
	s := readShape(locked.Fields)
	maps.DeleteFunc(s, func(path string, _ fieldShape) bool { return path == parts[2] || strings.HasPrefix(path, parts[2]+".") })
	locked.Fields, locked.UpdatedAt = mustJSON(s), now
	return tx.SetShape(ctx, locked)
}

// raise opens a notice or counts it again; the record tells of it once.
func (g *Gateway) raise(ctx context.Context, tx *store.Tx, kind, subject, text string) (store.Notice, bool, error) {
	now := g.now()
	n, fresh, err := tx.RaiseNotice(ctx, kind, subject, text, now)
	if err != nil || !fresh {
		return n, fresh, err
	}
	return n, true, tx.Record(ctx, store.Entry{At: now, Kind: "notice.raised", Subject: subject, Content: map[string]any{"notice": n.ID, "kind": kind, "text": text}})
}
