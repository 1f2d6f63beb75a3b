package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/gateway/audit"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Level is how much a finding matters.
type Level string

const (
	Fine Level = "fine"
	Note Level = "note" // to know, nothing to do: a setting that is unverified
	Look Level = "look" // somebody should look: dead letters, notices
	Bad  Level = "bad"  // it does not work
)

// Finding is one thing Doctor looked at, in plain words.
type Finding struct {
	About string `json:"about"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Report is what Doctor found.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Healthy tells that nobody has to do anything.
func (r Report) Healthy() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Bad || f.Level == Look })
}

func (r *Report) add(about string, level Level, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{about, level, fmt.Sprintf(format, args...)})
}

const (
	aboutDatabase  = "database"
	aboutRecord    = "record"
	aboutDocuments = "documents"
	aboutNotices   = "notices"

	// wholeRecord is how many rows of the record are read to the end; of a longer one only the newest.
	wholeRecord = 20_000
	newestRows  = 2_000
	sealLate    = 10 * time.Minute
)

// Doctor looks at everything that can be looked at without changing anything: the database, the record, the documents,
// and each connection. It calls those that are active. With a name it looks at that connection only, and calls it.
func (g *Gateway) Doctor(ctx context.Context, name string) (Report, error) {
	r := Report{Findings: []Finding{}}
	if name != "" {
		v, err := g.Connection(ctx, name)
		if err != nil {
			return r, err
		}
		err = g.examine(ctx, &r, v, true)
		return r, err
	}
	for _, look := range []func(context.Context, *Report) error{g.examineDatabase, g.examineRecord, g.examineDocuments} {
		if err := look(ctx, &r); err != nil {
			return r, err
		}
	}
	list, err := g.Connections(ctx)
	if err != nil {
		return r, err
	}
	for _, v := range list.Connections {
		if err := g.examine(ctx, &r, v, v.State == connectionActive); err != nil {
			return r, err
		}
	}
	if err := g.examineLeftovers(ctx, &r, list.Connections); err != nil {
		return r, err
	}
	return r, g.examineNotices(ctx, &r)
}

func (g *Gateway) examineDatabase(ctx context.Context, r *Report) error {
	version, err := g.store.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if err := g.store.CheckSchema(ctx); err != nil {
		r.add(aboutDatabase, Bad, "%v", err)
		return nil
	}
	r.add(aboutDatabase, Fine, "%s, schema %d", g.store.Engine(), version)
	return nil
}

func (g *Gateway) examineRecord(ctx context.Context, r *Report) error {
	key, _, err := audit.PublicKey(ctx, g.store.Queries, g.opener.vault)
	if err != nil {
		r.add(aboutRecord, Bad, "its signing key cannot be opened: %v", err)
		return nil
	}
	if key == nil && g.opener.vault.Current == "" {
		r.add(aboutRecord, Note, "it is not signed, since there is no key file")
	}
	head, err := g.store.Head(ctx)
	if err != nil {
		return err
	}
	if head.N > wholeRecord {
		return g.examineNewest(ctx, r, head.N)
	}
	a, err := audit.Verify(ctx, g.store, audit.Question{Key: key})
	if err != nil {
		return err
	}
	if !a.OK() {
		r.add(aboutRecord, Bad, "it is not as it was written: %s; drawbridge audit verify tells all", a.Faults[0])
		return nil
	}
	if late := g.now().Sub(a.OldestUnsealed); !a.OldestUnsealed.IsZero() && late > sealLate {
		r.add(aboutRecord, Look, "%d rows are not sealed, the oldest for %s: no server seems to run on this database", a.Unsealed, late.Round(time.Minute))
	}
	r.add(aboutRecord, Fine, "%d rows are sealed and as they were written", a.Sealed)
	return nil
}

// examineNewest compares the end of a long record.
func (g *Gateway) examineNewest(ctx context.Context, r *Report, head int64) error {
	entries, err := g.store.Sealed(ctx, head-newestRows, head, newestRows)
	if err != nil {
		return err
	}
	chain := ""
	for i, e := range entries {
		if (!e.Intact() && !e.Erased()) || (i > 0 && (e.N != entries[i-1].N+1 || e.Link(chain, e.N) != e.Chain)) {
			r.add(aboutRecord, Bad, "row %d is not as it was written, or does not follow from the one before; drawbridge audit verify tells all", e.N)
			return nil
		}
		chain = e.Chain
	}
	r.add(aboutRecord, Fine, "the newest %d of %d sealed rows are as they were written; drawbridge audit verify reads them all", len(entries), head)
	return nil
}

// examineDocuments compiles everything anew, so that what this program cannot use shows.
func (g *Gateway) examineDocuments(ctx context.Context, r *Report) error {
	docs, err := g.store.Documents(ctx)
	if err != nil {
		return err
	}
	_, faults := newCatalogue(ctx, g.opener, docs, 0, nil)
	for _, f := range faults {
		for line := range strings.SplitSeq(f.Err.Error(), "\n") {
			r.add(f.Kind+"/"+f.Name, Bad, "cannot be used: %s", line)
		}
	}
	switch {
	case len(docs) == 0:
		r.add(aboutDocuments, Look, "none is published; drawbridge apply does that")
	case len(faults) == 0:
		r.add(aboutDocuments, Fine, "%d are published, and all can be used", len(docs))
	}
	return nil
}

// examine looks at one connection; call says whether its vendor may be asked.
func (g *Gateway) examine(ctx context.Context, r *Report, v ConnectionView, call bool) error {
	about := kindConnection + "/" + v.Name
	if v.Fault != "" {
		r.add(about, Bad, "it does nothing, because its document cannot be used")
		return nil
	}
	if v.State != connectionActive {
		r.add(about, Note, "it is %s", v.State)
	}
	unrevealed, err := g.examineSecrets(ctx, r, v.Name)
	if err != nil {
		return err
	}
	c := g.catalogue().connections[v.Name]
	if call && unrevealed == 0 && c != nil && c.connector != nil {
		g.examineCall(ctx, r, about, c)
	}
	if c != nil && c.answersByLink() {
		g.examineLinks(ctx, r, about, c)
	}
	if c != nil && c.verifier != nil {
		if err := g.examineDoor(ctx, r, c, call); err != nil {
			return err
		}
	}
	if v.Health == healthUnwell {
		r.add(about, Look, "the server counts it as unwell since %s, and what it is owed waits: %s", stampText(v.Since), v.Reason)
	}
	if v.Dead > 0 {
		r.add(about, Look, "%s given up and wait for a person: drawbridge replay lists them", several(v.Dead, "delivery was", "deliveries were"))
	}
	if v.Quarantine > 0 {
		r.add(about, Look, "%s not understood and in quarantine: drawbridge replay lists them", several(v.Quarantine, "body is", "bodies are"))
	}
	if v.Unrouted > 0 {
		r.add(about, Note, "%s kept that no rule wanted", several(v.Unrouted, "event is", "events are"))
	}
	for _, text := range v.Unverified {
		r.add(about, Note, "unverified: %s", text)
	}
	if c != nil && c.connector != nil {
		for _, text := range connectors.Notices(c.connector) {
			r.add(about, Note, "%s", text)
		}
	}
	return nil
}

func several(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// examineCall asks the vendor whether the connection works.
func (g *Gateway) examineCall(ctx context.Context, r *Report, about string, c *connection) {
	if err := c.ping(ctx); err != nil {
		r.add(about, Bad, "it does not work: %v", err)
		return
	}
	if why := connectors.Uncalled(c.connector); why != "" {
		r.add(about, Note, "nobody was called: %s; what arrives shows whether it works", why)
		return
	}
	r.add(about, Fine, "%s works", c.doc.Connector)
}

func (c *connection) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.doc.Delivery.Timeout)
	defer cancel()
	return c.connector.Ping(ctx)
}

// TestConnection asks the vendor whether a connection works. The error says what is missing.
func (g *Gateway) TestConnection(ctx context.Context, name string) error {
	c := g.catalogue().connections[name]
	if c == nil {
		return g.noConnection(name)
	}
	if c.fault != nil {
		return c.fault
	}
	return c.ping(ctx)
}

// examineSecrets reveals every secret of a connection's document to nobody, and tells which cannot be.
func (g *Gateway) examineSecrets(ctx context.Context, r *Report, name string) (faults int, err error) {
	d, err := g.store.Document(ctx, kindConnection, name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, s := range secretsOf(ctx, d.Text) {
		if _, err := g.opener.vault.Reveal(s.secret); err != nil {
			faults++
			r.add(kindConnection+"/"+name, Bad, "the secret at %s cannot be read: %v", s.path, err)
		}
	}
	return faults, nil
}

type placedSecret struct {
	path   string
	secret connectors.Secret
}

// secretsOf finds the secrets in a document by their form.
func secretsOf(ctx context.Context, text string) []placedSecret {
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil
	}
	var found []placedSecret
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		for _, node := range ast.Filter(ast.MappingType, d.Body) {
			m, ok := node.(*ast.MappingNode)
			if !ok || len(m.Values) != 1 || !slices.Contains([]string{"env", "file", "sealed"}, m.Values[0].Key.String()) {
				continue
			}
			var s connectors.Secret
			if decode(ctx, m, &s) == nil {
				path := strings.TrimPrefix(m.Values[0].GetPath(), "$.")
				found = append(found, placedSecret{strings.TrimSuffix(path, "."+m.Values[0].Key.String()), s})
			}
		}
	}
	return found
}

// examineLeftovers tells of work for connections that are no longer published.
func (g *Gateway) examineLeftovers(ctx context.Context, r *Report, published []ConnectionView) error {
	work, err := g.store.Workloads(ctx)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(work) {
		w := work[name]
		if slices.ContainsFunc(published, func(v ConnectionView) bool { return v.Name == name }) || w.Pending+w.Running+w.Dead == 0 {
			continue
		}
		r.add(kindConnection+"/"+name, Look, "there is no such connection, and %d deliveries are owed to it: drawbridge connection clear-queue %s gives them up", w.Pending+w.Running+w.Dead, name)
	}
	return nil
}

func (g *Gateway) examineNotices(ctx context.Context, r *Report) error {
	list, err := g.Notices(ctx, false)
	for _, n := range list.Notices {
		r.add(aboutNotices, Look, "%s (since %s)", n.Text, stampText(n.First))
	}
	return err
}
