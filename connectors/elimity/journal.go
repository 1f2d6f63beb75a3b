package elimity

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

// Decide writes a line about the decision into the journal source's connector log. Elimity does nothing about it, and
// the change request stays as it is. Writing it twice, after a lost answer, leaves two equal lines. Without a journal
// nothing is written and nobody told.
func (c *connector) Decide(ctx context.Context, d connectors.Decision) error {
	const name = "write connector log"
	line, err := journalLine(d)
	if err != nil {
		return err
	}
	if c.source == nil {
		return &connectors.Kept{Why: "Elimity documents no call that takes a decision, and settings.journal names no log to write it into"}
	}
	_, err = c.source.Do(ctx, connectors.Call{
		Name: name, Method: http.MethodPost, URL: c.sourceURL("connector-logs"), JSON: []logLine{line},
	})
	if err != nil {
		return explain(err, "settings.journal")
	}
	return nil
}

func journalLine(d connectors.Decision) (logLine, error) {
	const name = "write connector log"
	by := cmp.Or(d.By.Name, d.By.Mail, d.By.Account)
	switch {
	case d.RequestID == "":
		return logLine{}, connectors.Permanently("%s: the decision names no change request", name)
	case d.Outcome != connectors.Approved && d.Outcome != connectors.Denied:
		return logLine{}, connectors.Permanently("%s: a decision is approved or denied, nothing else", name)
	case d.At.IsZero():
		return logLine{}, connectors.Permanently("%s: the decision does not say when it was made", name)
	}
	message := fmt.Sprintf("change %s %s", d.RequestID, d.Outcome)
	if by != "" {
		message += " by " + by
	}
	if ticket := cmp.Or(d.Ticket.Key, d.Ticket.ID); ticket != "" {
		message += " in " + ticket
	}
	if d.Reason != "" {
		message += ": " + d.Reason
	}
	return logLine{Level: "info", Message: connectors.Clean(message, 1000), Timestamp: d.At.UTC().Format(time.RFC3339)}, nil
}

// sourceURL is a call on the journal source.
func (c *connector) sourceURL(what string) string {
	return fmt.Sprintf("%s/api/sources/%d/%s", c.base, c.config.Journal.SourceID, what)
}
