package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/connectors/verify"
	"github.com/drawbridge-itsm/drawbridge/mapping"
	"github.com/drawbridge-itsm/drawbridge/store"
)

// Offline checks documents and tries rules without a database.
type Offline struct {
	Vendors map[string]func() connectors.Config
	Vault   *connectors.Vault
	Now     func() time.Time
}

// Tried is what one rule makes of one event.
type Tried struct {
	Event  connectors.Event
	Rule   string
	Result mapping.Result
	Err    error
}

// Check reports everything wrong with a complete set of documents, as Faults. Nobody is called. The warnings say what will
// not work for ever.
func (o Offline) Check(ctx context.Context, texts [][]byte) (warnings []string, err error) {
	c, _, err := o.catalogue(ctx, texts)
	if err != nil {
		return nil, err
	}
	return c.ends(), nil
}

// CheckForms does the same and compares the rules with what their desks accept. The warnings say what could not be found
// out as well.
func (o Offline) CheckForms(ctx context.Context, texts [][]byte) (warnings []string, err error) {
	c, given, err := o.catalogue(ctx, texts)
	if err != nil {
		return nil, err
	}
	var names []string
	for head := range given {
		if head.Kind == kindRule {
			names = append(names, head.Name)
		}
	}
	warnings = c.ends()
	found, doubts := c.checkForms(ctx, names)
	for _, name := range sortedKeys(doubts) {
		for _, text := range doubts[name] {
			warnings = append(warnings, kindRule+" "+name+": "+text)
		}
	}
	return warnings, located(found, given)
}

// ends tells of connections to what ends.
func (c *catalogue) ends() (warnings []string) {
	for _, name := range sortedKeys(c.connections) {
		if text := connectors.Ends(c.connections[name].connector); text != "" {
			warnings = append(warnings, kindConnection+" "+name+": "+text)
		}
	}
	return warnings
}

// located says which of the texts given each fault is in, where that is not known; nil where there is no fault.
func located(found []*Fault, given map[mapping.Header]int) error {
	for _, f := range found {
		if f.Given == 0 {
			f.Given = given[mapping.Header{Kind: f.Kind, Name: f.Name}]
		}
	}
	if len(found) == 0 {
		return nil
	}
	faults := Faults(found)
	faults.sort()
	return faults
}

func (o Offline) catalogue(ctx context.Context, texts [][]byte) (*catalogue, map[mapping.Header]int, error) {
	var faults Faults
	var docs []store.Document
	given := map[mapping.Header]int{}
	for i, text := range texts {
		head, err := mapping.ReadHeader(text)
		switch {
		case err != nil:
			faults = append(faults, &Fault{"document", fmt.Sprint(i + 1), err, i + 1})
		case given[head] != 0:
			faults = append(faults, &Fault{head.Kind, head.Name, errors.New("stands twice"), i + 1})
		default:
			given[head] = i + 1
			docs = append(docs, store.Document{Kind: head.Kind, Name: head.Name, Version: 1, Text: string(text)})
		}
	}
	open := opener{vendors: o.Vendors, vault: o.Vault, log: slog.New(slog.DiscardHandler), now: o.Now, hashes: verify.NewHashes(o.Now)}
	c, more := newCatalogue(ctx, open, docs, 1, nil)
	if err := located(append(faults, more...), given); err != nil {
		return nil, nil, err
	}
	return c, given, nil
}

// Try shows what the rules of a source make of a request body: what each term of each condition came to, and the
// action that would be owed. Nothing is sent anywhere.
func (o Offline) Try(ctx context.Context, texts [][]byte, source string, body []byte, contentType string) ([]Tried, error) {
	c, _, err := o.catalogue(ctx, texts)
	if err != nil {
		return nil, err
	}
	conn := c.connections[source]
	if conn == nil {
		return nil, fmt.Errorf("there is no connection %q%s", source, among(sortedKeys(c.connections)))
	}
	if conn.receiver == nil {
		return nil, fmt.Errorf("%s (%s) receives nothing", source, conn.doc.Connector)
	}
	received, err := conn.receiver.Receive(ctx, connectors.Request{
		Method: http.MethodPost, URL: &url.URL{Path: "/in/" + source}, Header: http.Header{"Content-Type": {contentType}}, Body: body, Time: o.Now(),
	})
	if err != nil {
		return nil, err
	}
	var tried []Tried
	for _, e := range received.Events {
		v, err := value(store.Event{Normal: mustJSON(e), Body: body})
		if err != nil {
			return nil, err
		}
		for _, r := range c.rules[source] {
			result, err := r.Eval(ctx, v)
			tried = append(tried, Tried{Event: e, Rule: r.Rule().Name, Result: result, Err: err})
		}
	}
	return tried, nil
}
