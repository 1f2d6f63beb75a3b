package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/drawbridge-itsm/drawbridge/store"
)

// Range is a stretch of time, from Since on and before Until; a zero time is no limit.
type Range struct {
	Since, Until time.Time
}

func (r Range) has(t time.Time) bool {
	return !t.Before(r.Since) && (r.Until.IsZero() || t.Before(r.Until))
}

// Format writes one entry as one line of JSON, without the line's end.
type Format func(store.Entry) ([]byte, error)

// Lines is the record as it is: with salt, digest and chain, a line can be verified by who has only the lines.
func Lines(e store.Entry) ([]byte, error) {
	return json.Marshal(struct {
		N       int64           `json:"n,omitempty"`
		ID      string          `json:"id"`
		At      time.Time       `json:"at"`
		Case    string          `json:"case,omitempty"`
		Kind    string          `json:"kind"`
		Subject string          `json:"subject,omitempty"`
		Content json.RawMessage `json:"content,omitempty"`
		Erased  bool            `json:"erased,omitempty"`
		Salt    string          `json:"salt,omitempty"`
		Digest  string          `json:"digest"`
		Chain   string          `json:"chain,omitempty"`
	}{
		e.N, e.ID, e.At.UTC(), e.CaseID, e.Kind, e.Subject, contentOf(e), e.Erased(), hex.EncodeToString(e.Salt),
		hex.EncodeToString(e.Digest), e.Chain,
	})
}

func contentOf(e store.Entry) json.RawMessage {
	content, _ := e.Content.(json.RawMessage)
	return content
}

// Export writes the entries of a range, sealed ones in the order of the chain, then the others. It answers how many
// those are. What is sealed meanwhile is neither missed nor written twice.
func Export(ctx context.Context, q store.Queries, w io.Writer, r Range, format Format) (int, error) {
	x := exporter{q: q, w: w, r: r, format: format, early: map[string]bool{}}
	for _, step := range []func(context.Context) error{x.sealed, x.unsealed, x.sealed} {
		if err := step(ctx); err != nil {
			return x.written, err
		}
	}
	return x.written, nil
}

const exportBatch = 500

type exporter struct {
	q       store.Queries
	w       io.Writer
	r       Range
	format  Format
	last    int64           // sealed entries are read up to this one
	early   map[string]bool // entries that were read before they were sealed
	written int
}

func (x *exporter) sealed(ctx context.Context) error {
	for {
		end, err := x.q.LastSealed(ctx)
		if err != nil {
			return err
		}
		entries, err := x.q.Sealed(ctx, x.last, end, exportBatch)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := x.write(entries); err != nil {
			return err
		}
		x.last = entries[len(entries)-1].N
	}
}

func (x *exporter) unsealed(ctx context.Context) error {
	after := ""
	for {
		entries, err := x.q.UnsealedAfter(ctx, after, exportBatch)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := x.write(entries); err != nil {
			return err
		}
		for _, e := range entries {
			after, x.early[e.ID] = e.ID, true
		}
	}
}

func (x *exporter) write(entries []store.Entry) error {
	for _, e := range entries {
		if !x.r.has(e.At) || x.early[e.ID] {
			continue
		}
		line, err := x.format(e)
		if err != nil {
			return fmt.Errorf("export entry %s: %w", e.ID, err)
		}
		if _, err := x.w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		x.written++
	}
	return nil
}
