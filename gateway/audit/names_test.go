package audit

import "testing"

func TestNamesAreFoundAsWords(t *testing.T) {
	t.Parallel()
	n := names{}.with("Alice").with(`CORP\alice`).with("alice@example.com").withFull("Alice Adams").withFull("Al").with("7")
	tests := []struct {
		name  string
		value string
		want  bool
	}{
		{"the value itself", "alice", true},
		{"in another case", "ALICE ", true},
		{"a word of a sentence", "Ask Alice.", true},
		{"behind a domain", `C:\Users\alice\x.exe`, true},
		{"an address", `<alice@example.com>`, true},
		{"an address at the end of a sentence", `mail alice@example.com.`, true},
		{"an address in a form", `user=alice%40example.com&x=1`, true},
		{"a full name", "by Alice Adams: accepted", true},
		{"escaped for Markdown", `by alice@example\.com`, true},
		{"an account in JSON", `{"user":{"account":"CORP\\alice"}}`, true},
		{"in a list", `[1, {"a": ["x", "alice"]}]`, true},
		{"JSON inside of JSON", `{"raw":"{\"user\":\"CORP\\\\alice\"}"}`, true},
		{"broken JSON", `{"user":"alice`, true},
		{"short, as a whole", "7", true},
		{"short, in a text", "7 of 8", false},
		{"a part of a word", "malice and alices", false},
		{"somebody else's address", "alice@example.org", false},
		{"somebody else's account", "alice.smith or alice-2 or x_alice", false},
		{"a longer address", "malice@example.com", false},
		{"the name of a member", `{"alice":1}`, false},
		{"a number", `{"a":7}`, false},
		{"nothing", "", false},
		{"bytes that are no text", "\xff\xfe", false},
	}
	for _, test := range tests {
		if got := n.in([]byte(test.value)); got != test.want {
			t.Errorf("%s: %q = %v", test.name, test.value, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("Ask Alice", "alice")
	f.Add(`{"a":"CORP\\alice"}`, `corp\alice`)
	f.Fuzz(func(t *testing.T, text, name string) {
		n := names{}.with(name)
		n.in([]byte(text))
		if len(n) > 0 && !n.in([]byte(n[0])) && n[0][0] != '{' && n[0][0] != '[' && n[0][0] != '"' {
			t.Errorf("%q is not found in itself", n[0])
		}
	})
}
