package preset

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// withheld is how long nothing is sent after a success that names nothing to ask for. What was sent counts as taken, for
// it was, and sending it again would double it; what comes after it is kept back, for nobody could say that it arrived.
const withheld = 15 * time.Minute

// unconfirmable notes such a success, and is why what comes after it waits.
func (s *sink) unconfirmable() *connectors.Error {
	s.unnamed.Store(s.env.Now().UnixNano())
	return s.withholds()
}

// withholds is why nothing is sent now; nil where there is no reason.
func (s *sink) withholds() *connectors.Error {
	at := s.unnamed.Load()
	if at == 0 || s.env.Now().Sub(time.Unix(0, at)) >= withheld {
		return nil
	}
	return &connectors.Error{Kind: connectors.Unwell, Err: errors.New("confirm: " + s.preset.confirm.withoutID())}
}

// withoutID says what a success without an id means.
func (c *confirmPlan) withoutID() string {
	return cmp.Or(c.WithoutID, "a success has no id to ask for")
}

// confirm asks until what was sent under id is where it should be. Whether it is when time is up is not known.
func (s *sink) confirm(ctx context.Context, id string) error {
	c := s.preset.confirm
	ctx, cancel := context.WithTimeout(ctx, c.most)
	defer cancel()
	wait := time.NewTicker(c.every)
	defer wait.Stop()
	for {
		done, err := s.ask(ctx, id)
		if done || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return doubt("the vendor did not confirm it in time")
		case <-wait.C:
		}
	}
}

func (s *sink) ask(ctx context.Context, id string) (done bool, err error) {
	c := s.preset.confirm
	in := with(s.names(nil), "id", id)
	query, err := texts(ctx, c.query, in)
	if err != nil {
		return false, connectors.Permanently("confirm: %w", err)
	}
	call := s.aside(c.Method, c.Path, query)
	call.Name = "confirm"
	if c.body != nil && call.Method != http.MethodGet {
		if call.JSON, err = c.body.Eval(ctx, in); err != nil {
			return false, connectors.Permanently("confirm: %w", err)
		}
	}
	r, err := s.do(ctx, call)
	if err != nil {
		return false, doubt("the vendor could not be asked whether it has it")
	}
	if r.err != nil {
		if r.err.Kind == connectors.Temporary || r.err.Kind == connectors.Throttled {
			return false, nil // it is asked again
		}
		e := *r.err
		e.Sent = true
		return false, &e
	}
	in["response"] = r.values()
	if c.fail != nil && isTrue(ctx, c.fail, in) {
		return false, doubt("the vendor lost it")
	}
	return isTrue(ctx, c.until, in), nil
}

func isTrue(ctx context.Context, condition *mapping.Setting, in map[string]any) bool {
	v, err := condition.Eval(ctx, in)
	is, ok := v.(bool)
	return err == nil && ok && is
}

func doubt(text string) error {
	return &connectors.Error{Kind: connectors.Temporary, Sent: true, Err: errors.New("confirm: " + text)}
}
