package desktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Redmine is a Redmine at work. Its project access has tickets of the tracker Support, which go between New, In
// Progress, Approved and Declined, and custom fields for our key and for a department. The project plain lacks the field
// for our key. Kim, Lee and Max may move tickets; Kim and Lee do so as Approver, Max as Mover.
type Redmine struct {
	URL      string
	Secret   string  // what the desk script signs with
	NoRights Account // may read and comment, not in private
	Admin    Account
	Without  map[string]Account // by the one permission in the project access that an account lacks

	hook     *httptest.Server
	sink     sinks
	mu       sync.Mutex
	accounts []Account         // not yet given away
	people   map[string]Person // by login
	numbers  map[string]int    // of what tests call by name
}

// Person is somebody at a desk.
type Person struct{ ID, Key string }

const (
	redmineHome     = "/usr/share/redmine"
	redmineTemplate = "/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default"
)

// StartRedmine starts a Redmine that has a desk script among its initializers, with so many accounts to work with. It
// works on a copy of the database that the package made.
func StartRedmine(t testing.TB, script string, accounts int) *Redmine {
	t.Helper()
	need(t, "redmine", redmineHome+"/config/environment.rb", redmineTemplate, "/usr/bin/puma")
	dir := folder(t, "redmine")
	database, err := os.ReadFile(redmineTemplate)
	if err != nil {
		t.Fatal(err)
	}
	r := &Redmine{Secret: "secret-of-the-desk-script", people: map[string]Person{}, numbers: map[string]int{}, Without: map[string]Account{}}
	r.hook = httptest.NewServer(&r.sink)
	t.Cleanup(r.hook.Close)
	file := write(t, string(database), dir, "redmine.db")
	write(t, fmt.Sprintf("production:\n  adapter: sqlite3\n  database: %s\n  encoding: utf8\n  timeout: 20000\n", file), dir, "site", "config", "database.yml")
	write(t, strings.Repeat("not a secret ", 8), dir, "site", "config", "secret_key.txt")
	for _, name := range []string{"log", "files", filepath.Join("tmp", "cache")} {
		write(t, "", dir, "site", name, "empty")
	}
	// The package keeps its sites in one folder and finds them by name; this one lies elsewhere.
	env := []string{
		"HOME=" + dir, "TZ=UTC", "RAILS_ENV=production", "REDMINE_LANG=en", "X_DEBIAN_SITEID=" + strings.Repeat("../", 8) + filepath.Join(dir, "site"),
		"BUNDLE_GEMFILE=" + redmineHome + "/Gemfile",
		"DRAWBRIDGE_URL=" + r.hook.URL, "DRAWBRIDGE_SECRET=" + r.Secret, "DRAWBRIDGE_LOGIN=bridge1",
	}
	seed := write(t, redmineSeed, dir, "seed.rb")
	for _, line := range strings.Fields(run(t, dir, append(env, "ACCOUNTS="+strconv.Itoa(accounts)), "ruby", seed)) {
		part := strings.Split(line, ":")
		switch login, id, key := part[0], part[1], part[2]; {
		case strings.HasPrefix(login, "without"):
			r.Without[strings.TrimPrefix(login, "without")] = Account{Login: login, Token: key}
		case strings.HasPrefix(login, "bridge"):
			r.accounts = append(r.accounts, Account{Login: login, Token: key})
			r.people[login] = Person{ID: id, Key: key}
		case login == "guest":
			r.NoRights = Account{Login: login, Token: key}
		case login == "admin":
			r.Admin = Account{Login: login, Token: key}
			fallthrough
		default:
			r.people[login] = Person{ID: id, Key: key}
		}
	}
	write(t, script, dir, "drawbridge.rb")
	port := freePort(t)
	r.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	rackup := write(t, fmt.Sprintf("require '%s/config/environment'\nload '%s/drawbridge.rb'\nrun Rails.application\n", redmineHome, dir), dir, "config.ru")
	// One thread: of two that write to SQLite the one that waits would keep Ruby from running the other.
	launch(t, dir, env, r.URL+"/issues.json", "puma", "-e", "production", "-b", fmt.Sprintf("tcp://127.0.0.1:%d", port), "-t", "1:1", rackup)
	return r
}

// Account gives away an account that nobody worked with. The desk script knows the first.
func (r *Redmine) Account(t testing.TB) Account {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.accounts) == 0 {
		t.Fatal("there is no account left")
	}
	a := r.accounts[0]
	r.accounts = r.accounts[1:]
	return a
}

// Person is somebody by their login: kim, lee or max.
func (r *Redmine) Person(login string) Person { return r.people[login] }

// Forward sends what the desk script tells to a URL as well, until the test ends.
func (r *Redmine) Forward(t testing.TB, to string) { r.sink.add(t, to) }

// Move is a person who sets a ticket's status, by its name.
func (r *Redmine) Move(t testing.TB, who, id, status string) {
	t.Helper()
	r.Act(t, who, http.MethodPut, "issues/"+id+".json", map[string]any{"issue": map[string]any{"status_id": r.status(t, status)}})
	if now := r.Act(t, who, http.MethodGet, "issues/"+id+".json", nil); !strings.Contains(now, `"name":"`+status+`"`) {
		t.Fatalf("%s moves ticket %s to %s: %s", who, id, status, now)
	}
}

// status is the number of a status.
func (r *Redmine) status(t testing.TB, name string) int {
	t.Helper()
	return r.number(t, "issue_statuses", name)
}

// Field is the number of a custom field.
func (r *Redmine) Field(t testing.TB, name string) int {
	t.Helper()
	return r.number(t, "custom_fields", name)
}

// number is that of something by its name, in a list of them that does not change.
func (r *Redmine) number(t testing.TB, list, name string) int {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.numbers[list+" "+name]; known > 0 {
		return known
	}
	var all map[string][]struct {
		ID   int
		Name string
	}
	if err := json.Unmarshal([]byte(r.Act(t, "admin", http.MethodGet, list+".json", nil)), &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all[list] {
		r.numbers[list+" "+one.Name] = one.ID
	}
	if r.numbers[list+" "+name] == 0 {
		t.Fatalf("there is no %s among the %s", name, list)
	}
	return r.numbers[list+" "+name]
}

// SetApprover makes a person Approver in the project access, or Mover.
func (r *Redmine) SetApprover(t testing.TB, who string, approver bool) {
	t.Helper()
	role := "Mover"
	if approver {
		role = "Approver"
	}
	var roles struct {
		Roles []struct {
			ID   int
			Name string
		}
	}
	var members struct {
		Memberships []struct {
			ID   int
			User struct{ ID int }
		}
	}
	for path, into := range map[string]any{"roles.json": &roles, "projects/access/memberships.json?limit=100": &members} {
		if err := json.Unmarshal([]byte(r.Act(t, "admin", http.MethodGet, path, nil)), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range members.Memberships {
		for _, one := range roles.Roles {
			if fmt.Sprint(m.User.ID) == r.people[who].ID && one.Name == role {
				r.Act(t, "admin", http.MethodPut, fmt.Sprintf("memberships/%d.json", m.ID), map[string]any{"membership": map[string]any{"role_ids": []int{one.ID}}})
				return
			}
		}
	}
	t.Fatalf("%s is no member of the project", who)
}

// Act is a call of a person's or an account's to the interface, in JSON; it returns the answer. "admin" may do everything.
func (r *Redmine) Act(t testing.TB, who, method, path string, body any) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	// What a test undoes when it ends is done after its context.
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, r.URL+"/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Redmine-API-Key", r.people[who].Key)
	return exchange(t, req)
}

const redmineSeed = `
require '/usr/share/redmine/config/environment'
def key(user)
  puts "#{user.login}:#{user.id}:#{user.api_key}"
end
ActiveRecord::Base.transaction do
  Setting.rest_api_enabled = 1
  Setting.self_registration = 0
  admin = User.find_by_login('admin')
  admin.must_change_passwd = false
  admin.save!
  key(admin)
  tracker = Tracker.find_by_name('Support')
  new, progress, feedback = ['New', 'In Progress', 'Feedback'].map { |name| IssueStatus.find_by_name(name) }
  approved = IssueStatus.create!(:name => 'Approved', :is_closed => true)
  declined = IssueStatus.create!(:name => 'Declined', :is_closed => true)
  department = IssueCustomField.create!(:name => 'Department', :field_format => 'string', :is_filter => true, :trackers => [tracker])
  systems = IssueCustomField.create!(:name => 'Systems', :field_format => 'list', :multiple => true, :possible_values => ['Mail', 'Payroll'], :trackers => [tracker])
  ours = IssueCustomField.create!(:name => 'Drawbridge Key', :field_format => 'string', :is_filter => true, :trackers => [tracker])
  loose = IssueCustomField.create!(:name => 'Loose Key', :field_format => 'string', :is_filter => false, :trackers => [tracker])
  other = IssueCustomField.create!(:name => 'Other Tracker Key', :field_format => 'string', :is_filter => true, :trackers => Tracker.all.to_a - [tracker])
  project = Project.create!(:name => 'Access', :identifier => 'access', :is_public => false, :tracker_ids => Tracker.all.map(&:id), :issue_custom_fields => [department, systems, ours, loose, other], :enabled_module_names => ['issue_tracking'])
  plain = Project.create!(:name => 'Plain', :identifier => 'plain', :is_public => false, :trackers => [tracker], :enabled_module_names => ['issue_tracking'])
  work = [:view_issues, :add_issues, :edit_issues, :add_issue_notes, :set_notes_private, :view_private_notes]
  bridge = Role.create!(:name => 'Bridge', :permissions => work)
  approver = Role.create!(:name => 'Approver', :permissions => work)
  mover = Role.create!(:name => 'Mover', :permissions => work)
  guest = Role.create!(:name => 'Guest', :permissions => [:view_issues, :add_issues, :add_issue_notes])
  [bridge, approver, mover].each do |role|
    [new, progress, approved, declined].permutation(2).each do |from, to|
      WorkflowTransition.create!(:tracker => tracker, :role => role, :old_status => from, :new_status => to)
    end
  end
  WorkflowTransition.create!(:tracker => tracker, :role => approver, :old_status => new, :new_status => feedback)
  person = lambda do |login, first, projects, role|
    user = User.new(:firstname => first, :lastname => 'Example', :mail => "#{login}@example.test", :mail_notification => 'none')
    user.login = login
    user.random_password
    user.save!
    projects.each { |p| Member.create!(:principal => user, :project => p, :roles => [role]) }
    key(user)
  end
  person.call('kim', 'Kim', [project, plain], approver)
  person.call('lee', 'Lee', [project], approver)
  person.call('max', 'Max', [project], mover)
  { 'ana' => 'Ana', 'alias' => 'Alias', 'second' => 'Second', 'stranger' => 'Kim' }.each { |login, first| person.call(login, first, [project], mover) }
  person.call('guest', 'Guest', [project], guest)
  work.each do |lacking|
    person.call("without#{lacking}", 'Bridge', [project], Role.create!(:name => "Without #{lacking}", :permissions => work - [lacking]))
  end
  ENV['ACCOUNTS'].to_i.times { |n| person.call("bridge#{n + 1}", 'Bridge', [project, plain], bridge) }
end
`
