package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-itsm/drawbridge/connectors/preset"
	"github.com/drawbridge-itsm/drawbridge/gateway"
)

// docs/targets.md lists every preset, and says of every connector what it can do and what it rests on.
func TestTargetsAreWhatThePageSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/targets.md")
	must(t, err)
	p := newProgram(t)
	var all []gateway.VendorView
	must(t, json.Unmarshal([]byte(p.fine("connectors", "--format", "json")), &all))
	rests := map[string]string{"documented": "all of it is documented by the vendor", "partly documented": "it is documented by the vendor, but for what is listed as unverified"}
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| \\[?`([a-z-]+)`[^|]* \\| ([^|]+) \\| ([^|]*) \\|$").FindAllStringSubmatch(string(page), -1)
	listed := map[string]bool{}
	for _, row := range rows {
		name, can, on := row[1], strings.Split(row[2], ", "), row[3]
		listed[name] = true
		at := slices.IndexFunc(all, func(v gateway.VendorView) bool { return v.Name == name })
		if at < 0 {
			t.Errorf("there is no %s", name)
			continue
		}
		v := all[at]
		signed := slices.ContainsFunc(v.Notices, func(text string) bool { return strings.HasPrefix(text, "signed answers are taken") })
		for word, is := range map[string]bool{
			"records": slices.Contains(v.Can, "send"), "ticket": slices.Contains(v.Can, "fetch"), "signed": signed,
			"link": slices.Contains(v.Can, "ask") && !slices.Contains(v.Can, "receive"), "buttons": slices.Contains(v.Can, "ask") && slices.Contains(v.Can, "receive"),
		} {
			if slices.Contains(can, word) != is {
				t.Errorf("%s: %s is %t, and the page says %s", name, word, is, row[2])
			}
		}
		if want := rests[on]; want != "" && !slices.Contains(v.Notices, want) || want == "" && preset.Vendors()[name] != nil {
			t.Errorf("%s rests on %s, and it says %v", name, on, v.Notices)
		}
	}
	for name := range preset.Vendors() {
		if !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
	for _, name := range []string{"pagerduty", "opsgenie", "slack", "teams", "mail", "syslog"} {
		if !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}
