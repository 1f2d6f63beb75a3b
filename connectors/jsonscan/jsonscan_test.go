package jsonscan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-itsm/drawbridge/connectors/jsonscan"
)

// value makes what encoding/json makes with UseNumber.
func value(s *jsonscan.Scanner) any {
	switch s.Kind() {
	case '{':
		object := map[string]any{}
		for s.Open(); s.More(); {
			key := s.Key()
			object[key] = value(s)
		}
		return object
	case '[':
		list := []any{}
		for s.Open(); s.More(); {
			list = append(list, value(s))
		}
		return list
	case '"':
		text, _ := s.Text()
		return text
	case 't', 'f':
		return s.Word() == "true"
	case 'n':
		s.Word()
		return nil
	default:
		return json.Number(s.Word())
	}
}

// FuzzScannerReadsWhatEncodingJSONReads compares the two on everything that is valid.
func FuzzScannerReadsWhatEncodingJSONReads(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ` [ ] `, `null`, `true`, ` false `, `-1.5e+07`, `9007199254740993`, `""`, `"a\"b\\"`, `"\"\\\/\b\f\n\r\t"`, `"\\u00e9"`, `"\u00e9\ud83d\ude00\ud800"`,
		"{\"a\" : [1,2 , {\"b\":\t{}}],\r\n\"c\":null , \"\":\"x\"}", `[[],[{}],"]","}"]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			t.Skip()
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Skip()
		}
		s := jsonscan.New(text)
		if diff := cmp.Diff(want, value(&s)); diff != "" && strings.ToValidUTF8(text, "") == text {
			t.Errorf("the values differ (-encoding/json +scanner):\n%s", diff)
		}
	})
}

func TestTextIsGivenDecodedAndAsItWasWritten(t *testing.T) {
	t.Parallel()
	s := jsonscan.New(`"a\tb"`)
	if decoded, raw := s.Text(); decoded != "a\tb" || raw != `a\tb` {
		t.Errorf("got %q and %q", decoded, raw)
	}
}
