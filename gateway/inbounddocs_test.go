package gateway

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func inboundPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/inbound.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocumentedInboundSettingsOpen(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(inboundPage(t), -1)
	if len(blocks) < 12 {
		t.Fatalf("got %d examples", len(blocks))
	}
	for _, block := range blocks {
		vendor := "connector: epm\nsettings: {base_url: https://epm.example, client_id: x, client_secret: {value: x}}\n"
		if strings.Contains(block[1], "hmac: { secrets") {
			vendor = "connector: jira\nsettings: {base_url: https://jira.example, auth: {basic: {user: x, token: {value: x}}}}\n"
		}
		c, stored, err := testOpener().open(t.Context(), []byte("kind: Connection\nname: example\n"+vendor+block[1]), "")
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		if c.verifier == nil || strings.Contains(string(stored), "battery") {
			t.Errorf("stored is %s", stored)
		}
	}
}

func TestEveryInboundSettingIsDocumented(t *testing.T) {
	t.Parallel()
	page := inboundPage(t)
	var look func(kind reflect.Type)
	look = func(kind reflect.Type) {
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct {
			return
		}
		for i := range kind.NumField() {
			key, _, _ := strings.Cut(kind.Field(i).Tag.Get("yaml"), ",")
			if key == "" {
				continue
			}
			if !regexp.MustCompile(`(^|[\s{,` + "`" + `])` + key + `[:` + "`" + `]`).MatchString(page) {
				t.Errorf("%s of %s is not in the page", key, kind)
			}
			look(kind.Field(i).Type)
		}
	}
	look(reflect.TypeFor[Inbound]())
}
