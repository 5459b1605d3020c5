package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a window of a browser that nobody has used before. The test fails when a page in it reports an error, breaks the content
// security policy, asks another server, or holds a secret.
type tab struct {
	*testing.T
	ctx    context.Context
	origin string
	plain  bool // it runs no scripts, so that pages have no other way to let a secret be copied than to show it

	mu       sync.Mutex
	expected *regexp.Regexp // trouble that belongs to the test; nil for none
	trouble  []string
	visited  map[string]bool // every URL that the pages have asked for by GET
}

// listenScript notes all that a screen reader would say of itself.
const listenScript = `{
	const said = window.said = [];
	const last = new WeakMap();
	new MutationObserver(() => {
		for (const e of document.querySelectorAll("[role=status], [role=alert]")) {
			const text = e.innerText.replace(/\s+/g, " ").trim();
			if (last.get(e) !== text) { last.set(e, text); if (text) said.push(text); }
		}
	}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}`

// openTab opens a window for the console at origin.
func openTab(t *testing.T, origin string) *tab {
	t.Helper()
	parent := useChromium(t)
	b := &tab{T: t, origin: origin, visited: map[string]bool{}}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.listen))
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.keepPicture()
		}
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, trouble := range b.trouble {
			t.Error(trouble)
		}
	})
	b.must(chromedp.Do(ctx)) // opens the window; its life is that of ctx
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: listenScript})
	b.resize(1440, 900)
	b.prefer("light")
	return b
}

func (b *tab) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// call runs a command of the browser's protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	result, err := try(b, command, params)
	b.must(err)
	return result
}

func try[P, R any](b *tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// listen notes what must not happen.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if b.expected == nil || !b.expected.MatchString(text) {
			b.trouble = append(b.trouble, text)
		}
	}
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Scheme+"://"+u.Host != b.origin {
			if e.Request.URL != "about:blank" && !strings.HasPrefix(e.Request.URL, "data:") { // the icon of the browser's own date fields
				complain("the page %s asked for %s", e.DocumentURL, e.Request.URL)
			}
		} else if e.Request.Method == "GET" {
			b.visited[u.RequestURI()] = true
		}
	case *log.EventEntryAdded:
		refused := e.Entry.Source == log.EntrySourceNetwork && expectedStatus.MatchString(e.Entry.Text)
		if e.Entry.Level != log.EntryLevelVerbose && !refused {
			complain("the browser reports: %s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		complain("the page wrote to the console: %s %s", e.Type, consoleText(e.Args))
	case *runtime.EventExceptionThrown:
		complain("a script failed: %s", exceptionText(e.ExceptionDetails))
	}
}

// visits are the paths that the pages have asked for by GET so far.
func (b *tab) visits() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.visited)
}

// expectTrouble lets the browser report what matches.
func (b *tab) expectTrouble(pattern string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = regexp.MustCompile(pattern)
}

// expectedStatus is how the browser reports an answer with which a form or page refuses something.
var expectedStatus = regexp.MustCompile(`server responded with a status of (401|403|404|409|422|503)`)

func consoleText(args []*runtime.RemoteObject) string {
	var all []string
	for _, a := range args {
		all = append(all, strings.TrimSpace(string(a.Value)+" "+a.Description))
	}
	return strings.Join(all, " ")
}

func exceptionText(d *runtime.ExceptionDetails) string {
	if d.Exception == nil {
		return d.Text
	}
	return d.Text + " " + d.Exception.Description
}

// keepPicture leaves a picture of what went wrong.
func (b *tab) keepPicture() {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Logf("no picture of the page: %v", err)
		return
	}
	file, err := os.CreateTemp("", "gatehouse-failed-*.png")
	if err != nil {
		b.Logf("no picture of the page: %v", err)
		return
	}
	defer file.Close()
	if _, err := file.Write(png); err == nil {
		b.Logf("a picture of the page: %s", file.Name())
	}
}

// eval gives the value of a JavaScript expression, awaited when it is a promise. On a page that is just being left it waits for the next.
func eval[R any](b *tab, expression string) R {
	b.Helper()
	var value R
	eventually(b.T, fmt.Sprintf("%.200s has a value", expression), func() (err error) {
		value, err = tryEval[R](b, expression)
		if _, left := errors.AsType[*cdproto.Error](err); err != nil && !left {
			b.Fatalf("%.200s: %v", expression, err)
		}
		return err
	})
	return value
}

// tryEval fails also when the page is just being left.
func tryEval[R any](b *tab, expression string) (R, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[R](expression, chromedp.EvalAwaitPromise))
}

// visit opens a page by its path, and waits until it is there.
func (b *tab) visit(path string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	// It fails when a click from before only now leads elsewhere.
	eventually(b.T, "open "+path, func() error { return chromedp.Do(ctx, chromedp.Navigate(b.origin+path)) })
}

// path is the path and query of the open page.
func (b *tab) path() string { return eval[string](b, `location.pathname + location.search`) }

func (b *tab) resize(width, height int64) {
	b.must(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height)))
}

// prefer makes the system of the viewer a light or dark one. Movement, which only costs tests time, is unwanted.
func (b *tab) prefer(scheme string) {
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// allowClipboard lets tests read back what a page has copied.
func (b *tab) allowClipboard() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
		Origin: b.origin, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	b.must(err)
}

// clipboard reads what was copied, on a page that the browser trusts.
func (b *tab) clipboard() string { return eval[string](b, `navigator.clipboard.readText()`) }

// withoutScripts switches JavaScript off.
func (b *tab) withoutScripts() {
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.plain = true
}

// stay gives a function that fails the test when the page was loaded anew in the meantime.
func (b *tab) stay() func() {
	b.Helper()
	eval[bool](b, `window.stayed = true`)
	return func() {
		b.Helper()
		if !eval[bool](b, `window.stayed === true`) {
			b.Error("the page was loaded anew")
		}
	}
}

var secretRe = regexp.MustCompile(`vma[tk]_[0-9A-Za-z]{38}`)

// wantNoSecret fails the test when the page holds one, whether it is seen or not.
func (b *tab) wantNoSecret() {
	b.Helper()
	if b.plain {
		return
	}
	// A page that is just being left has been looked at, and the next one will be.
	if source, err := tryEval[string](b, `document.documentElement.outerHTML`); err == nil && secretRe.MatchString(source) {
		b.Error("the page holds a secret")
	}
}

// wantNoSecretInAnswers asks again for everything that the pages have asked for, as a page and as a fragment, and looks for the
// secrets and anything of that form.
func (b *tab) wantNoSecretInAnswers(secrets ...string) {
	b.Helper()
	cookies := call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.origin}})
	for _, path := range slices.Sorted(maps.Keys(b.visits())) {
		if strings.HasSuffix(path, "/events") { // they say nothing but that something has changed, and do not end
			continue
		}
		for _, fragment := range []string{"", "true"} {
			req, err := http.NewRequest("GET", b.origin+path, nil)
			b.must(err)
			for _, c := range cookies.Cookies {
				req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
			}
			req.Header.Set("HX-Request", fragment)
			resp, err := http.DefaultClient.Do(req)
			b.must(err)
			body := readAll(b.T, resp)
			for _, secret := range append(secrets, secretRe.FindString(body)) {
				if secret != "" && strings.Contains(body, secret) {
					b.Errorf("a secret stands in the answer to GET %s (fragment: %q)", path, fragment)
				}
			}
		}
	}
}
