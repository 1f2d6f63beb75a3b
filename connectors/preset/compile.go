package preset

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// Preset is a preset that was read and compiled. Any number of connections may be opened with it.
type Preset struct {
	doc    Document
	params map[string]Param
	wanted map[string]*mapping.Setting // when a param must be there

	url      *mapping.SettingText
	query    []namedText
	headers  []namedText
	packing  *mapping.SettingText // none or gzip
	auth     []authPlan
	item     *mapping.Setting
	wrap     *mapping.Setting // nil: the item itself
	group    *mapping.Setting // nil: all are of one group
	envelope *mapping.Setting
	itemsAt  jsonPath
	needs    []jsonPath
	eventID  []jsonPath
	limits   []limit
	cutAt    jsonPath
	linger   time.Duration
	per      time.Duration // of the rate

	success, alreadyDone, reauth, pause, retry, permanent []test
	partial                                               *test
	good, bad                                             *mapping.Setting
	id                                                    jsonPath
	errors                                                []jsonPath
	confirm                                               *confirmPlan
	ask                                                   *askPlan
	inbound                                               *inboundPlan
	ping                                                  []test
}

type namedText struct {
	name string
	text *mapping.SettingText
}

type authPlan struct {
	Auth
	when  *mapping.Setting
	at    jsonPath
	texts map[string]*mapping.SettingText // of OAuth and the user name
}

type limit struct {
	Limit
	at jsonPath
}

type confirmPlan struct {
	Confirm
	when, until, fail *mapping.Setting
	query             []namedText
	body              *mapping.Setting
	every, most       time.Duration
}

var framings = map[string]string{
	"single": "application/json", "array": "application/json", "concat": "application/json", "envelope": "application/json",
	"ndjson": "application/x-ndjson",
}

func (s *source) preset(d *Document) *Preset {
	p := &Preset{doc: *d, params: map[string]Param{}, wanted: map[string]*mapping.Setting{}}
	for i, one := range d.Params {
		if _, twice := p.params[one.Name]; twice {
			s.add("params["+strconv.Itoa(i)+"].name", "is there twice")
		}
		p.params[one.Name] = one
		if one.Type == "secret" {
			s.secrets = append(s.secrets, one.Name)
		}
		s.param("params["+strconv.Itoa(i)+"]", one)
	}
	own, record := expressionNames(d)
	for i, one := range d.Params {
		if when := s.condition("params["+strconv.Itoa(i)+"].required_when", one.RequiredWhen, own); when != nil {
			p.wanted[one.Name] = when
		}
	}
	request := join(own, mapping.Names{"group": {Type: "any"}})
	if d.Body.Framing == "single" {
		request = join(record, mapping.Names{"item": {Type: "any"}, "group": {Type: "any"}})
	}
	p.url = s.text("request.url", d.Request.URL, join(request, secretNames(d)))
	p.query = s.textsOf("request.query", d.Request.Query, request)
	p.headers = s.textsOf("request.headers", d.Request.Headers, request)
	p.packing = s.text("request.compression", d.Request.Compression, own)
	s.headers(d)
	s.auths(p, own)
	s.aside(p)
	s.body(p, own, record)
	s.response(p)
	s.confirm(p, own)
	s.ask(p, own, record)
	s.inbound(p, own)
	if d.Ping != nil {
		p.ping = s.tests("ping.success", d.Ping.Success)
	}
	return p
}

func (s *source) param(field string, p Param) {
	if (p.Type == "enum") != (len(p.Enum) > 0) {
		s.add(field, "an enum, and nothing else, has labels in enum")
	}
	if p.Type == "secret" && (p.Default != nil || p.Example != "") {
		s.add(field, "a secret has neither default nor example")
	}
	if p.RequiredWhen != "" && (p.Required || p.Default != nil) {
		s.add(field+".required_when", "belongs to a param that may be missing: neither required nor with a default")
	}
	if p.Default != nil {
		if _, err := p.value(p.Default); err != nil {
			s.add(field+".default", "%s", err)
		}
	}
	if p.Pattern != "" {
		if _, err := p.matcher(); err != nil {
			s.add(field+".pattern", "is no regular expression")
		}
	}
}

// expressionNames are what expressions may use: those that only need the connection, and those that need a record besides.
func expressionNames(d *Document) (own, record mapping.Names) {
	params := map[string]mapping.Shape{}
	for _, p := range d.Params {
		kind := map[string]string{"int": "number", "bool": "bool", "secret": "bool", "enum": "any"}[p.Type]
		if kind == "" {
			kind = "text"
		}
		params[p.Name] = mapping.Shape{Type: kind}
	}
	own = mapping.Names{"params": {Fields: params}}
	return own, join(own, mapping.Names{
		"event": {Type: "any"}, "event_id": {Type: "text"}, "source": {Type: "text"}, "case": {Type: "text"}, "over": {Type: "bool"},
		"at": {Fields: map[string]mapping.Shape{"rfc3339": {Type: "text"}, "unix": {Type: "number"}, "seconds": {Type: "number"}, "unix_ms": {Type: "number"}, "unix_ns": {Type: "text"}}},
	})
}

func secretNames(d *Document) mapping.Names {
	secrets := map[string]mapping.Shape{}
	for _, p := range d.Params {
		if p.Type == "secret" {
			secrets[p.Name] = mapping.Shape{Type: "text"}
		}
	}
	return mapping.Names{"secret": {Fields: secrets}}
}

func join(lists ...mapping.Names) mapping.Names {
	all := mapping.Names{}
	for _, one := range lists {
		maps.Copy(all, one)
	}
	return all
}

func (s *source) text(field, text string, names mapping.Names) *mapping.SettingText {
	s.sent(field, text)
	t, err := mapping.CompileSettingText(field, text, names)
	s.compile(err)
	return t
}

func (s *source) textsOf(field string, texts map[string]string, names mapping.Names) []namedText {
	var list []namedText
	for _, name := range sortedKeys(texts) {
		list = append(list, namedText{name, s.text(field+"."+name, texts[name], names)})
	}
	return list
}

// setting compiles a value; nothing gives nil.
func (s *source) setting(field string, value any, names mapping.Names) *mapping.Setting {
	return s.compiled(mapping.CompileSetting, field, value, names)
}

func (s *source) compiled(by func(string, any, mapping.Names) (*mapping.Setting, error), field string, value any, names mapping.Names) *mapping.Setting {
	if value == nil || value == "" {
		return nil
	}
	compiled, err := by(field, value, names)
	s.compile(err)
	return compiled
}

func (s *source) duration(field, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		s.add(field, "is no length of time")
	}
	return d
}

func (s *source) auths(p *Preset, own mapping.Names) {
	for i, a := range p.doc.Auth {
		field := "auth[" + strconv.Itoa(i) + "]"
		plan := authPlan{Auth: a, when: s.condition(field+".when", a.When, own), at: s.path(field+".at", a.At), texts: map[string]*mapping.SettingText{}}
		for _, name := range []string{a.Secret, a.Previous} {
			if name != "" && p.params[name].Type != "secret" {
				s.add(field, "%s is no param of type secret", name)
			}
		}
		for name, text := range map[string]string{"username": a.Username, "oauth.token_url": a.OAuth.TokenURL, "oauth.client_id": a.OAuth.ClientID, "oauth.scope": a.OAuth.Scope, "oauth.key_id": a.OAuth.KeyID} {
			plan.texts[name] = s.text(field+"."+name, text, own)
		}
		if a.Kind == "body" && (p.doc.Body.Framing != "single" || p.doc.Request.Compression != "") {
			s.add(field, "a credential in the body needs the framing single, and no compression")
		}
		if a.Kind == "path" && !strings.Contains(p.doc.Request.URL, "secret."+a.Secret) {
			s.add(field, "request.url has no ${secret.%s}", a.Secret)
		}
		p.auth = append(p.auth, plan)
	}
}

func (s *source) body(p *Preset, own, record mapping.Names) {
	b := p.doc.Body
	p.item = s.record("body.item", b.Item, record)
	wrapping := join(record, mapping.Names{"item": {Type: "any"}})
	p.wrap = s.record("body.wrap", b.Wrap, wrapping)
	p.group = s.record("body.group", b.Group, wrapping)
	if b.Envelope != nil {
		p.envelope = s.record("body.envelope.template", b.Envelope.Template, join(own, mapping.Names{"group": {Type: "any"}}))
		p.itemsAt = s.path("body.envelope.items_at", b.Envelope.ItemsAt)
	}
	for i, at := range b.Needs {
		p.needs = append(p.needs, s.path("body.needs["+strconv.Itoa(i)+"]", at))
	}
	for i, at := range b.EventIDAt {
		p.eventID = append(p.eventID, s.path("body.event_id_at["+strconv.Itoa(i)+"]", at))
	}
	for i, l := range b.Limits {
		p.limits = append(p.limits, limit{l, s.path("body.limits["+strconv.Itoa(i)+"].at", l.At)})
	}
	t := p.doc.Batch
	p.cutAt, p.linger = s.path("batch.cut_at", t.CutAt), s.duration("batch.linger", t.Linger)
	if p.doc.Rate != nil {
		p.per = s.duration("rate.per", p.doc.Rate.Per)
	}
	if (t.OnOversize == "cut" || t.OnOversize == "split") != (t.CutAt != "") {
		s.add("batch.cut_at", "belongs to on_oversize: cut or split")
	}
	if t.OnOversize != "" && t.MaxItemBytes == 0 {
		s.add("batch.on_oversize", "needs max_item_bytes")
	}
	if b.Framing == "single" && (t.MaxItems > 1 || b.Group != "") {
		s.add("body.framing", "single has one record a request: neither batch.max_items nor body.group")
	}
}

func (s *source) response(p *Preset) {
	r := p.doc.Response
	p.success, p.alreadyDone = s.tests("response.success", r.Success), s.tests("response.already_done", r.AlreadyDone)
	p.reauth, p.pause = s.tests("response.reauth", r.Reauth), s.tests("response.pause", r.Pause)
	p.retry, p.permanent = s.tests("response.retry", r.Retry), s.tests("response.permanent", r.Permanent)
	p.id = s.path("response.id", r.ID)
	for i, at := range r.Errors {
		p.errors = append(p.errors, s.path("response.errors["+strconv.Itoa(i)+"]", at))
	}
	if r.Partial != nil {
		t := s.test("response.partial.when", r.Partial.When)
		p.partial = &t
		p.good = s.setting("response.partial.good", r.Partial.Good, responseNames)
		p.bad = s.setting("response.partial.bad", r.Partial.Bad, responseNames)
	}
}

var responseNames = mapping.Names{"response": {Fields: map[string]mapping.Shape{"status": {Type: "number"}, "body": {Type: "any"}}}}

func (s *source) confirm(p *Preset, own mapping.Names) {
	c := p.doc.Confirm
	if c == nil {
		return
	}
	asking := join(own, mapping.Names{"id": {Type: "text"}})
	judging := join(asking, responseNames)
	p.confirm = &confirmPlan{
		Confirm: *c, when: s.condition("confirm.when", c.When, own), until: s.condition("confirm.until", c.Until, judging),
		fail: s.condition("confirm.fail", c.Fail, judging), query: s.textsOf("confirm.query", c.Query, asking),
		body: s.record("confirm.body", c.Body, asking), every: s.duration("confirm.every", c.Every), most: s.duration("confirm.for", c.For),
	}
	if len(p.id) == 0 {
		s.add("confirm", "needs response.id")
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
