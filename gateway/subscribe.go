package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
	"github.com/drawbridge-itsm/drawbridge/store"
)

const (
	noticeSubscription = "subscription"
	subscribeAgain     = 5 * time.Minute // after a failure
	subscribeOften     = time.Minute     // at most
)

// subscribe keeps the webhooks alive that the connector asks its vendor for. What fails is told to an admin and tried
// again: meanwhile watching finds what changed.
func (w *worker) subscribe(ctx context.Context, conn *connection, now time.Time) error {
	s, ok := connectors.AsSubscriber(conn.connector)
	if !ok || (w.subscribed == conn && now.Before(w.nextSubscribe)) {
		return nil
	}
	first := w.subscribed != conn
	w.subscribed, w.nextSubscribe = conn, now.Add(subscribeAgain)
	again, err := w.g.subscribeBy(ctx, s, conn)
	if err == nil {
		w.nextSubscribe = now.Add(max(again, subscribeOften))
		if !first && !w.unsubscribed {
			return nil
		}
	} else {
		if ctx.Err() != nil {
			return nil
		}
		w.log.Warn("keep webhooks alive", "error", err)
	}
	w.unsubscribed = err != nil
	return w.g.store.InTx(ctx, func(tx *store.Tx) error {
		if err == nil {
			_, err := tx.EndNotice(ctx, noticeSubscription, w.name, now)
			return err
		}
		text := fmt.Sprintf("%s could not ask for its webhooks, changes are found by watching only: %v", w.name, err)
		_, _, err := w.g.raise(ctx, tx, noticeSubscription, w.name, text)
		return err
	})
}

func (g *Gateway) subscribeBy(ctx context.Context, s connectors.Subscriber, conn *connection) (time.Duration, error) {
	if g.baseURL == "" {
		return 0, errors.New("this server's own address is not set (base-url)")
	}
	ctx, cancel := context.WithTimeout(ctx, conn.doc.Delivery.Timeout)
	defer cancel()
	return s.Subscribe(ctx, strings.TrimRight(g.baseURL, "/")+"/in/"+conn.doc.Name)
}
