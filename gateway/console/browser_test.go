package console_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a Chromium spoken to over a pair of pipes, in the DevTools protocol.
type browser struct {
	start   sync.Once
	err     error // why it did not start
	missing bool  // because it is not installed
	cmd     *exec.Cmd
	folder  string
	in      io.WriteCloser

	mu       sync.Mutex
	last     int
	waiting  map[int]chan message
	sessions map[string]*tab
}

var chromium browser

// message is a call, an answer or an event of the DevTools protocol.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// needChromium skips the test where Chromium is not installed. It fails it instead when DRAWBRIDGE_REQUIRE, a list
// separated by commas, has "chromium".
func needChromium(t *testing.T) {
	t.Helper()
	chromium.start.Do(func() { chromium.err = chromium.run() })
	required := slices.Contains(strings.Split(os.Getenv("DRAWBRIDGE_REQUIRE"), ","), "chromium")
	switch {
	case chromium.missing && !required:
		t.Skip("skipped: chromium: not installed (make deps)")
	case chromium.err != nil:
		t.Fatalf("start chromium: %v", chromium.err)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	chromium.stop()
	os.Exit(code)
}

func (b *browser) run() error {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		b.missing = true
		return fmt.Errorf("not installed (make deps)")
	}
	var err error
	if b.folder, err = os.MkdirTemp("", "drawbridge-chromium-"); err != nil {
		return err
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return err
	}
	args := []string{"--headless", "--remote-debugging-pipe", "--user-data-dir=" + b.folder, "--no-first-run", "--disable-gpu", "--disable-quic",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb"}
	if os.Getuid() == 0 {
		args = append(args, "--no-sandbox") // it refuses to run as root with one
	}
	b.cmd = exec.Command(program, append(args, "about:blank")...)
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4, where it expects them
	b.in, b.waiting, b.sessions = ourOut, map[int]chan message{}, map[string]*tab{}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	_, _ = theirIn.Close(), theirOut.Close()
	go b.read(ourIn)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return b.call(ctx, "", "Browser.getVersion", nil, nil)
}

func (b *browser) stop() {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = b.in.Close() // which ends it
		done := make(chan struct{})
		go func() { defer close(done); _ = b.cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = b.cmd.Process.Kill()
			<-done
		}
	}
	if b.folder != "" {
		_ = os.RemoveAll(b.folder)
	}
}

// read hands out what the browser says; messages end with a zero byte.
func (b *browser) read(r io.Reader) {
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			for id, waiting := range b.waiting {
				close(waiting)
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		var m message
		var raw struct{ Params json.RawMessage }
		if json.Unmarshal(text[:len(text)-1], &m) != nil || json.Unmarshal(text[:len(text)-1], &raw) != nil {
			continue
		}
		b.mu.Lock()
		if waiting, ok := b.waiting[m.ID]; ok {
			waiting <- m
			delete(b.waiting, m.ID)
		} else if tab := b.sessions[m.Session]; tab != nil {
			tab.heard(m.Method, raw.Params)
		}
		b.mu.Unlock()
	}
}

func (b *browser) call(ctx context.Context, session, method string, params map[string]any, result any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	text, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: params})
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser ended", method)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// tab is one page in a context of its own: it shares no storage with others.
type tab struct {
	*testing.T
	ctx     context.Context
	session string

	mu     sync.Mutex
	faults []string // what the page complained of
}

func newTab(t *testing.T) *tab {
	t.Helper()
	needChromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &tab{T: t, ctx: ctx}
	var made struct{ BrowserContextID, TargetID, SessionID string }
	p.must(chromium.call(ctx, "", "Target.createBrowserContext", nil, &made))
	p.must(chromium.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": made.BrowserContextID}, &made))
	p.must(chromium.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made))
	p.session = made.SessionID
	chromium.mu.Lock()
	chromium.sessions[p.session] = p
	chromium.mu.Unlock()
	t.Cleanup(func() {
		_ = chromium.call(context.Background(), "", "Target.disposeBrowserContext", map[string]any{"browserContextId": made.BrowserContextID}, nil)
	})
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.do(domain+".enable", nil, nil)
	}
	return p
}

func (p *tab) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *tab) do(method string, params map[string]any, result any) {
	p.Helper()
	p.must(chromium.call(p.ctx, p.session, method, params, result))
}

// heard keeps what the page complains of.
func (p *tab) heard(method string, params json.RawMessage) {
	var e struct {
		Type             string
		Args             []struct{ Value any }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Entry struct{ Level, Text, URL string }
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	fault := ""
	switch {
	case method == "Runtime.exceptionThrown":
		fault = e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description
	case method == "Runtime.consoleAPICalled" && (e.Type == "error" || e.Type == "warning"):
		fault = fmt.Sprint(e.Args)
	case method == "Log.entryAdded" && (e.Entry.Level == "error" || e.Entry.Level == "warning"):
		fault = e.Entry.Text + " " + e.Entry.URL
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

// complaints are what the page complained of so far, but for texts with one of the words allowed.
func (p *tab) complaints(allowed ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.faults), func(fault string) bool {
		return slices.ContainsFunc(allowed, func(word string) bool { return strings.Contains(fault, word) })
	})
}

func (p *tab) open(url string) {
	p.Helper()
	p.do("Page.navigate", map[string]any{"url": url}, nil)
}

// eval works out an expression in the page.
func (p *tab) eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := chromium.call(p.ctx, p.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if err != nil {
		return err
	}
	if e := r.ExceptionDetails; e != nil {
		return fmt.Errorf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, result)
}

// text is the text of the first element a selector finds that can be seen, "" where there is none.
func (p *tab) text(selector string) string {
	p.Helper()
	var text string
	p.must(p.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e && e.checkVisibility() ? e.innerText : "" })()`, selector), &text))
	return text
}

// until waits until the text of an element holds some words.
func (p *tab) until(selector, words string) {
	p.Helper()
	var text string
	for p.ctx.Err() == nil {
		// The page may be between two documents.
		err := p.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); return e && e.checkVisibility() ? e.innerText : "" })()`, selector), &text)
		if err == nil && strings.Contains(text, words) {
			return
		}
		select {
		case <-p.ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.Fatalf("%s shows %q, want %q in it", selector, text, words)
}

// press presses keys, by name: Tab, Enter, or a text to type.
func (p *tab) press(keys ...string) {
	p.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27}
	for _, key := range keys {
		code, named := codes[key]
		if !named {
			p.do("Input.insertText", map[string]any{"text": key}, nil)
			continue
		}
		event := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
		if key == "Enter" {
			event["text"] = "\r"
		}
		p.do("Input.dispatchKeyEvent", event, nil)
		p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// picture writes what the page looks like where DRAWBRIDGE_PICTURES names a directory, for people to look at.
func (p *tab) picture(name string, width, height int) {
	p.Helper()
	dir := os.Getenv("DRAWBRIDGE_PICTURES")
	if dir == "" {
		return
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	var shot struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	p.must(err)
	p.must(os.WriteFile(dir+"/"+name+".png", png, 0o600))
	p.do("Emulation.clearDeviceMetricsOverride", nil, nil)
}
