package jira

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drawbridge-itsm/drawbridge/connectors"
)

func TestDescribeTellsFieldsAndStatuses(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		s, err := w.Describe(t.Context(), connectors.Place{Project: "ITSEC", Type: "access request"})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"Open", "In Review", "Approved", "Declined", "Won't do", "Done"}; !cmp.Equal(s.Statuses, want, cmpopts.SortSlices(strings.Compare)) {
			t.Errorf("statuses %v, want %v", s.Statuses, want)
		}
		fields := map[string]connectors.Field{}
		for _, f := range s.Fields {
			fields[f.ID] = f
		}
		if f := fields["customfield_10070"]; f.Type != "text" || !cmp.Equal(f.Allowed, []string{"Low", "Medium", "High", "Critical"}) {
			t.Errorf("select %+v", f)
		}
		if f := fields["summary"]; !f.Required || f.Type != "text" {
			t.Errorf("summary %+v", f)
		}
		if _, err := w.Describe(t.Context(), connectors.Place{Project: "ITSEC", Type: "Story"}); err == nil || !strings.Contains(err.Error(), "Access Request") {
			t.Errorf("unknown type: %v, want the types there are", err)
		}
	})
}

func TestDirectoryNamesGroupsAndPeople(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, w *world) {
		account := "acc-kim"
		if w.conf.Deployment == dataCenter {
			account = "kim"
		}
		groups, err := w.Groups(t.Context(), account)
		if err != nil || !cmp.Equal(groups, []string{"endpoint-approvers", "jira-users"}, cmpopts.SortSlices(strings.Compare)) {
			t.Errorf("groups %v, %v", groups, err)
		}
		var people []connectors.Person
		cursor := connectors.Cursor("")
		for range 5 {
			var page []connectors.Person
			if page, cursor, err = w.People(t.Context(), cursor); err != nil {
				t.Fatal(err)
			}
			people = append(people, page...)
			if cursor == "" {
				break
			}
		}
		if cursor != "" || len(people) < 5 {
			t.Errorf("%d people, cursor %q: %v", len(people), cursor, people)
		}
		for _, p := range people {
			if p.Account == "acc-robot" {
				t.Error("an app is among the people")
			}
		}
	})
}
