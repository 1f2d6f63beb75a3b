package webhookstandin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Form is how a webhook is written.
type Form int

const (
	Plain      Form = iota // JSON of the tool's own
	Structured             // one CloudEvent
	Binary                 // one CloudEvent, its attributes as headers
	Batch                  // CloudEvents, several at once
	Standard               // as standardwebhooks.com advises
)

// The names of the events the tool tells of.
const (
	Created = "request.created"
	Decided = "request.decided"
)

// Webhook returns the webhook that tells of requests, ready to be sent. Only a Batch tells of more than one. The same
// webhook has the same ids however often it is asked for.
func (s *Server) Webhook(ctx context.Context, form Form, event string, ids ...string) (*http.Request, error) {
	if len(ids) == 0 || (form != Batch && len(ids) > 1) {
		return nil, errors.New("make webhook: one request is wanted, or a batch")
	}
	var told []map[string]any
	for _, id := range ids {
		r, ok := s.Find(id)
		if !ok {
			return nil, fmt.Errorf("make webhook: there is no request %s", id)
		}
		told = append(told, content(r))
	}
	header, body := s.write(form, event, ids, told)
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("make webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.HookURL, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("make webhook: %w", err)
	}
	req.Header = header
	for name, values := range s.options.HookHeader {
		req.Header[name] = values
	}
	if s.options.HookSecret != "" {
		err = s.sign(req, eventID(event, ids[0]), text)
	}
	return req, err
}

// Send makes a webhook, sends it and returns the status it was answered with.
func (s *Server) Send(ctx context.Context, form Form, event string, ids ...string) (int, error) {
	req, err := s.Webhook(ctx, form, event, ids...)
	if err != nil {
		return 0, err
	}
	resp, err := s.exchange(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// Handshake asks the receiver whether webhooks may be sent, and returns who may send how often.
func (s *Server) Handshake(ctx context.Context, origin string) (allowed, rate string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, s.options.HookURL, nil)
	if err != nil {
		return "", "", fmt.Errorf("make handshake: %w", err)
	}
	for name, values := range s.options.HookHeader {
		req.Header[name] = values
	}
	req.Header.Set("WebHook-Request-Origin", origin)
	req.Header.Set("WebHook-Request-Rate", "120")
	resp, err := s.exchange(req)
	if err != nil {
		return "", "", err
	}
	return resp.Header.Get("WebHook-Allowed-Origin"), resp.Header.Get("WebHook-Allowed-Rate"), nil
}

func (s *Server) exchange(req *http.Request) (*http.Response, error) {
	resp, err := s.options.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("send webhook: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection can be used again
	return resp, nil
}

func eventID(event, id string) string { return strings.ReplaceAll(event, ".", "-") + "-" + id }

func content(r Request) map[string]any {
	return map[string]any{"request": map[string]any{
		"id": r.ID, "resource": r.Resource, "reason": r.Reason, "state": r.State,
		"user": map[string]any{"login": r.Login, "name": r.Name},
	}}
}

const source = "/tools/stand-in"

// write returns the headers and the body of a webhook.
func (s *Server) write(form Form, event string, ids []string, told []map[string]any) (http.Header, any) {
	now := s.options.Now().UTC().Format(time.RFC3339)
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	cloud := func(i int) map[string]any {
		return map[string]any{
			"specversion": "1.0", "id": eventID(event, ids[i]), "source": source, "type": event, "time": now,
			"subject": ids[i], "datacontenttype": "application/json", "data": told[i],
		}
	}
	switch form {
	case Structured:
		header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
		return header, cloud(0)
	case Batch:
		header.Set("Content-Type", "application/cloudevents-batch+json; charset=utf-8")
		batch := make([]any, len(ids))
		for i := range ids {
			batch[i] = cloud(i)
		}
		return header, batch
	case Binary:
		for name, value := range cloud(0) {
			if text, ok := value.(string); ok && name != "datacontenttype" {
				header.Set("ce-"+name, percent(text))
			}
		}
		return header, told[0]
	case Standard:
		return header, map[string]any{"type": event, "timestamp": now, "data": told[0]}
	default:
		told[0]["id"], told[0]["event"], told[0]["at"] = eventID(event, ids[0]), event, now
		return header, told[0]
	}
}

// percent writes what a header cannot carry as it is.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c == '"' || c == '%' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (s *Server) sign(req *http.Request, id string, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.options.HookSecret, "whsec_"))
	if err != nil {
		return errors.New("sign webhook: the secret is not base64")
	}
	stamp := strconv.FormatInt(s.options.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", stamp)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}
