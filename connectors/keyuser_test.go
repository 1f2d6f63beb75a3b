package connectors_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestKeyAsTheUserIsSentAndNotRepeated(t *testing.T) {
	t.Parallel()
	const key = "the-key-of-somebody"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "%s and %s", user, password)
	}))
	t.Cleanup(server.Close)
	client, err := connectors.NewClient(connectors.Outbound{AllowHosts: []string{"127.0.0.1"}}, &connectors.Vault{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	client = client.With(connectors.KeyUser{Key: connectors.SecretValue(key)})
	_, err = client.Do(t.Context(), connectors.Call{Name: "ask", Method: http.MethodGet, URL: server.URL})
	answered, ok := errors.AsType[*connectors.Answered](err)
	if !ok || string(answered.Body) != "[secret] and X" || strings.Contains(fmt.Sprintf("%+v", err), key) {
		t.Errorf("the error is %v", err)
	}
}
