package desktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// RequestTracker is a Request Tracker at work. It has the queue Access, whose tickets go from new to approved or
// declined, and the users Kim, Lee, Max and others, who may move them; Kim and Lee are in the group approvers. The queue Plain
// lacks the custom field for our key.
type RequestTracker struct {
	URL      string
	Secret   string             // what the desk script signs with
	NoRights Account            // may sign in and nothing else
	Without  map[string]Account // by the one right on the queue that an account lacks

	hook     *httptest.Server
	sink     sinks
	mu       sync.Mutex
	accounts []Account         // not yet given away
	tokens   map[string]string // by login
}

// Account is one to work with.
type Account struct{ Login, Token string }

const (
	rtHome     = "/usr/share/request-tracker5"
	rtPassword = "s3cret-password"
)

// StartRequestTracker starts a Request Tracker that was set up by a desk script, with so many accounts to work with.
func StartRequestTracker(t testing.TB, script string, accounts int) *RequestTracker {
	t.Helper()
	need(t, "request-tracker", rtHome+"/libexec/rt-server", "/usr/sbin/rt-setup-database-5", rtHome+"/lib/RT/REST2.pm")
	dir := folder(t, "rt")
	r := &RequestTracker{Secret: "secret-of-the-desk-script", Without: map[string]Account{}, tokens: map[string]string{}}
	r.hook = httptest.NewServer(&r.sink)
	t.Cleanup(r.hook.Close)
	port := freePort(t)
	r.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	config := write(t, fmt.Sprintf(rtConfig, port, r.URL, filepath.Join(dir, "rt.sqlite"), r.hook.URL, r.Secret), dir, "RT_SiteConfig.pm")
	write(t, "", dir, "conf", "empty")
	env := []string{"HOME=" + dir, "RT_SITE_CONFIG=" + config, "RT_SITE_CONFIG_DIR=" + filepath.Join(dir, "conf")}
	run(t, dir, env, "/usr/sbin/rt-setup-database-5", "--action", "init", "--skip-create")
	perl := func(text, name string, args ...string) string {
		return run(t, dir, env, "perl", append([]string{"-I" + rtHome + "/lib", write(t, text, dir, name)}, args...)...)
	}
	perl(rtQueues, "queues.pl")
	perl(script, "drawbridge.pl", "Access")
	perl(script, "drawbridge.pl", "Access") // a second time, as an admin may
	for _, line := range strings.Fields(perl(rtUsers, "users.pl", fmt.Sprint(accounts), rtPassword)) {
		login, token, _ := strings.Cut(line, ":")
		account := Account{Login: login, Token: token}
		r.tokens[login] = token
		if right, lacks := strings.CutPrefix(login, "without"); lacks {
			r.Without[right] = account
		} else {
			r.accounts = append(r.accounts, account)
		}
	}
	last := len(r.accounts) - 1
	r.NoRights, r.accounts = r.accounts[last], r.accounts[:last]
	launch(t, dir, env, r.URL+"/REST/2.0/rt", rtHome+"/libexec/rt-server", "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--max-workers", "6")
	return r
}

// Account gives away an account that nobody worked with.
func (r *RequestTracker) Account(t testing.TB) Account {
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

// Password is everybody's who has one: root's and that of the people.
func (r *RequestTracker) Password() string { return rtPassword }

// Forward sends what the desk script tells to a URL as well, until the test ends.
func (r *RequestTracker) Forward(t testing.TB, to string) { r.sink.add(t, to) }

// Move is a person who sets a ticket's status.
func (r *RequestTracker) Move(t testing.TB, who, id, status string) {
	t.Helper()
	said := r.Act(t, who, http.MethodPut, "ticket/"+id, map[string]any{"Status": status})
	if !strings.Contains(said, "changed from") && !strings.Contains(said, "deleted") {
		t.Fatalf("%s moves ticket %s to %s: %s", who, id, status, said)
	}
}

// SetApprover puts a person into the group approvers, or takes them out of it.
func (r *RequestTracker) SetApprover(t testing.TB, who string, approver bool) {
	t.Helper()
	var groups struct {
		Items []struct{ ID, Name string }
	}
	var person struct{ ID json.Number }
	for path, into := range map[string]any{"groups?fields=Name&per_page=100&query=" + url.QueryEscape(`[{"field":"Name","value":"approvers"}]`): &groups, "user/" + who: &person} {
		if err := json.Unmarshal([]byte(r.Act(t, "root", http.MethodGet, path, nil)), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range groups.Items {
		if members := "group/" + group.ID + "/member"; group.Name != "approvers" {
			continue
		} else if approver {
			r.Act(t, "root", http.MethodPut, members+"s", []string{person.ID.String()})
		} else {
			r.Act(t, "root", http.MethodDelete, members+"/"+person.ID.String(), nil)
		}
		return
	}
	t.Fatal("there is no group approvers")
}

// Act is a call of a person's or an account's to the interface, in JSON; it returns the answer. "root" may do everything.
func (r *RequestTracker) Act(t testing.TB, who, method, path string, body any) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	// What a test undoes when it ends is done after its context.
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, r.URL+"/REST/2.0/"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if token := r.tokens[who]; token != "" {
		req.Header.Set("Authorization", "token "+token)
	} else {
		req.SetBasicAuth(who, rtPassword)
	}
	return exchange(t, req)
}

// exchange sends a request that must succeed.
func exchange(t testing.TB, req *http.Request) string {
	t.Helper()
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %v: %s", req.Method, req.URL.Path, resp.Status, err, answer)
	}
	return string(answer)
}

const rtConfig = `
Set($rtname, 'rt.test'); Set($Organization, 'rt.test'); Set($Timezone, 'UTC');
Set($WebDomain, '127.0.0.1'); Set($WebPort, %d); Set($WebPath, ''); Set($WebBaseURL, '%s');
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '%s'); Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($LogToSyslog, undef); Set($LogToFile, undef); Set($LogToSTDERR, 'warning'); Set($MailCommand, 'testfile');
Set($BcryptCost, 4);
Set($DrawbridgeURL, '%s'); Set($DrawbridgeSecret, '%s');
Set(%%Lifecycles, access => {
    initial => ['new'], active => ['open'], inactive => ['approved', 'declined', 'deleted'],
    defaults => { on_create => 'new', approved => 'approved', denied => 'declined' },
    transitions => {
        '' => ['new'], new => ['open', 'approved', 'declined', 'deleted'], open => ['approved', 'declined', 'deleted'],
        approved => ['open', 'deleted'], declined => ['open', 'deleted'], deleted => ['open'],
    },
    rights => { '* -> deleted' => 'DeleteTicket', '* -> *' => 'ModifyTicket' },
    actions => ['new -> open' => { label => 'Open' }, '* -> approved' => { label => 'Approve' }, 'approved -> open' => { label => 'Reopen' }, 'declined -> open' => { label => 'Reopen' }],
});
1;
`

const rtQueues = `
use strict; use warnings; use RT; RT::LoadConfig(); RT::Init();
my $system = RT->SystemUser;
sub made { my ($ok, $said) = @_; die "$said\n" unless $ok; return $ok }
made(RT::Queue->new($system)->Create(Name => 'Access', Lifecycle => 'access'));
made(RT::Queue->new($system)->Create(Name => 'Plain'));
my $queue = RT::Queue->new($system); $queue->Load('Access');
my $text = RT::CustomField->new($system);
made($text->Create(Name => 'Department', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', Pattern => '(?#Mandatory).'));
made($text->AddToObject($queue));
my $free = RT::CustomField->new($system);
made($free->Create(Name => 'Length', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket'));
made($free->AddToObject($queue));
my $choice = RT::CustomField->new($system);
made($choice->Create(Name => 'Systems', Type => 'SelectMultiple', LookupType => 'RT::Queue-RT::Ticket'));
made($choice->AddValue(Name => $_)) for 'Mail', 'Payroll';
made($choice->AddToObject($queue));
`

const rtUsers = `
use strict; use warnings; use RT; RT::LoadConfig(); RT::Init();
my ($accounts, $password) = @ARGV;
my $system = RT->SystemUser;
sub made { my ($ok, $said) = @_; die "$said\n" unless $ok; return $ok }
my $queue = RT::Queue->new($system); $queue->Load('Access');
my %groups;
for my $name ('bridges', 'approvers', 'movers') {
    $groups{$name} = RT::Group->new($system);
    made($groups{$name}->CreateUserDefinedGroup(Name => $name));
}
my @see = qw(SeeQueue ShowTicket ShowTicketComments SeeCustomField ModifyTicket ModifyCustomField CommentOnTicket ReplyToTicket);
made($groups{bridges}->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for @see, 'CreateTicket';
made($groups{bridges}->PrincipalObj->GrantRight(Right => $_, Object => RT->System)) for 'AdminGroupMembership', 'SeeGroup', 'SeeCustomField';
made($groups{movers}->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for @see;
sub user {
    my ($login, $real, %more) = @_;
    my $user = RT::User->new($system);
    made($user->Create(Name => $login, RealName => $real, EmailAddress => "$login\@example.test", Privileged => 1, %more));
    return $user;
}
for my $login ('kim', 'lee', 'max', 'ana', 'alias', 'second', 'stranger') {
    my $user = user($login, ($login eq 'stranger' ? 'Kim' : ucfirst($login)) . ' Example', Password => $password);
    made($groups{movers}->AddMember($user->Id));
    made($groups{approvers}->AddMember($user->Id)) if $login eq 'kim' or $login eq 'lee';
}
my $root = RT::User->new($system); $root->Load('root'); made($root->SetPassword($password));
sub account {
    my ($login, @more) = @_;
    my $user = user($login, 'Drawbridge', @more);
    my ($ok, $said, $token) = RT::AuthToken->new($system)->Create(Owner => $user->Id, Description => 'Drawbridge');
    made($ok, $said);
    print "$login:$token\n";
    return $user;
}
$RT::Handle->BeginTransaction();
for my $n (1 .. $accounts) {
    # Searches take times in the account's own time zone.
    my $user = account("bridge$n", Timezone => 'America/New_York');
    made($groups{bridges}->AddMember($user->Id));
}
for my $lacking (@see, 'CreateTicket') {
    my $user = account("without$lacking");
    made($user->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for grep { $_ ne $lacking } @see, 'CreateTicket';
}
account('nobodys');
$RT::Handle->Commit();
`
