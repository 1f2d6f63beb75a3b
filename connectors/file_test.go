package connectors_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestAFileIsStoredAsTextWhereItIsText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		content    []byte
	}{
		{"text", `{"name":"a","type":"text/plain","text":"Ana\n<b>"}`, []byte("Ana\n<b>")},
		{"nothing", `{"name":"a","type":"text/plain","text":""}`, []byte{}},
		{"no text", `{"name":"a","type":"text/plain","content":"/w=="}`, []byte{0xff}},
	} {
		f := connectors.File{Name: "a", Type: "text/plain", Content: tc.content}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if json.Unmarshal([]byte(tc.want), &want) != nil || json.Unmarshal(text, &got) != nil || !cmp.Equal(want, got) {
			t.Errorf("%s is stored as %s, want %s", tc.name, text, tc.want)
		}
		var back connectors.File
		if err := json.Unmarshal(text, &back); err != nil || !cmp.Equal(back, f) {
			t.Errorf("%s is read as %+v, %v", tc.name, back, err)
		}
	}
}
