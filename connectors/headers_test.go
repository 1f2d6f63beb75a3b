package connectors_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestHeadersAreSentAndNeverRepeated(t *testing.T) {
	t.Parallel()
	const key, password = "canary-key-1", "canary-password-2"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		if r.Header.Get("X-Api-Key") != key || given != password {
			t.Errorf("got headers %v", r.Header)
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "no: "+key+" "+password)
	}))
	t.Cleanup(server.Close)
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	both := client.With(connectors.Basic{User: "u", Password: connectors.SecretValue(password)}).
		With(connectors.Headers{"x-api-key": connectors.SecretValue(key)})
	_, err = both.Do(t.Context(), connectors.Call{Name: "try", Method: http.MethodGet, URL: server.URL})
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok || strings.Contains(string(answered.Body), "canary") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, want the answer without credentials", err)
	}
}

func TestHeadersWithoutTheirSecretStopTheCall(t *testing.T) {
	t.Parallel()
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.With(connectors.Headers{"X-Api-Key": {}}).Do(t.Context(), connectors.Call{Name: "try", Method: http.MethodGet, URL: "http://127.0.0.1:1"})
	if e := connectors.AsError(err); e == nil || e.Kind != connectors.Unwell || e.Sent {
		t.Errorf("got %v, want unwell and not sent", err)
	}
}
