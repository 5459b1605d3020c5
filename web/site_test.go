package web_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"gatehouse/internal/control"
	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
	"gatehouse/web"
)

const (
	adminEmail  = "admin@example.com"
	viewerEmail = "viewer@example.com"
	password    = "correct horse battery"
	endpointURL = "http://gateway.example.com:8427"
)

var system = gatehouse.Actor{Kind: gatehouse.System, Name: "test", Role: gatehouse.Admin}

// site is a whole console on a real listener, with a real control plane on a real database.
type site struct {
	*testing.T
	dir     string // of the data
	url     string
	server  *http.Server
	store   *sqlite.Store
	control *control.Control
	feed    *control.Feed
	setup   *web.Setup
	log     *syncBuffer
	used    atomic.Uint64 // bytes of the disk that each deployment uses; 0: not known
}

// newSite starts a console that nobody has used yet. change may adjust its configuration.
func newSite(t *testing.T, change ...func(*web.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.CreateSealer(filepath.Join(dir, secret.KeysetFile))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, dir: dir, store: store, feed: control.NewFeed(), setup: web.NewSetup(), log: &syncBuffer{}}
	engines, err := engine.New(engine.Config{Dir: programs(t), DataDir: dir}) // which runs none, but reads their logs
	if err != nil {
		t.Fatal(err)
	}
	diskUsed := func(string) (uint64, bool) { return s.used.Load(), s.used.Load() > 0 }
	s.control = control.New(control.Config{Store: store, Sealer: sealer, Live: true, DiskUsed: diskUsed, Engines: engines})
	config := web.Config{
		Control: s.control, Feed: s.feed, Setup: s.setup, AccessEndpointURL: endpointURL, Version: "v0.0.0-test",
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range change {
		f(&config)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.server = "http://"+ln.Addr().String(), web.NewServer(web.New(config))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.server.Serve(ln) // ends with the test
	}()
	t.Cleanup(func() {
		s.server.Close()
		<-served
		store.Close()
	})
	return s
}

// newSiteWithAdmin is newSite with an admin, who is signed in.
func newSiteWithAdmin(t *testing.T, change ...func(*web.Config)) (*site, *visitor) {
	t.Helper()
	s := newSite(t, change...)
	s.addUser(adminEmail, gatehouse.Admin)
	return s, s.signedIn(adminEmail)
}

func (s *site) addUser(email string, role gatehouse.Role) {
	s.Helper()
	if _, err := s.control.CreateUser(s.Context(), system, control.NewUser{Email: email, Role: role, Password: password}); err != nil {
		s.Fatal(err)
	}
}

// programs is a folder in which all programs of VictoriaMetrics seem to be.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"victoria-metrics", "vmstorage", "vminsert", "vmselect"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// addDeployment makes a managed deployment with its default token.
func (s *site) addDeployment(name string) gatehouse.Deployment {
	s.Helper()
	d, err := s.control.CreateDeployment(s.Context(), system, gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

func (s *site) addCluster(name string) gatehouse.Deployment {
	s.Helper()
	d, err := s.control.ConnectDeployment(s.Context(), system, gatehouse.NewDeployment{
		Name: name, Type: gatehouse.Cluster, InsertURLs: []string{"http://10.0.0.1:8480"}, SelectURLs: []string{"http://10.0.0.2:8481"},
	})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// addToken makes a token, and gives its secret too.
func (s *site) addToken(d gatehouse.Deployment, name string, access gatehouse.Access) (gatehouse.Token, string) {
	s.Helper()
	t, value, err := s.control.CreateToken(s.Context(), system, gatehouse.NewToken{DeploymentID: d.ID, Name: name, Access: access})
	if err != nil {
		s.Fatal(err)
	}
	return t, value.Reveal()
}

func (s *site) use(t gatehouse.Token, u gatehouse.Use) {
	s.Helper()
	if err := s.store.SaveUses(s.Context(), []gatehouse.TokenUse{{TokenID: t.ID, DeploymentID: t.DeploymentID, Use: u}}); err != nil {
		s.Fatal(err)
	}
}

// tokens gives the names of a deployment's tokens.
func (s *site) tokens(d gatehouse.Deployment) []string {
	s.Helper()
	all, _, err := s.control.Tokens(s.Context(), system, gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil {
		s.Fatal(err)
	}
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	return names
}

// visitor is a browser without JavaScript. It keeps cookies and does not follow redirects.
type visitor struct {
	*site
	client *http.Client
}

func (s *site) visitor() *visitor {
	jar, _ := cookiejar.New(nil) // fails never
	return &visitor{s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (s *site) signedIn(email string) *visitor {
	s.Helper()
	v := s.visitor()
	if p := v.post("/sign-in", url.Values{"email": {email}, "password": {password}}); p.status != http.StatusSeeOther {
		s.Fatalf("sign in as %s: status %d", email, p.status)
	}
	return v
}

type headers map[string]string

// htmx are the headers of a request by htmx for a dialog.
var htmx = headers{"HX-Request": "true", "HX-Target": "dialog#dialog", "Accept": "text/html"}

// htmxMain are the headers of a request by htmx for the page's content.
var htmxMain = headers{"HX-Request": "true", "HX-Target": "main#main", "Accept": "text/html"}

var copyButton = headers{"Accept": "text/plain"}

func (v *visitor) get(path string, h ...headers) page {
	v.Helper()
	return v.do(http.MethodGet, path, nil, h...)
}

func (v *visitor) post(path string, form url.Values, h ...headers) page {
	v.Helper()
	return v.do(http.MethodPost, path, form, h...)
}

func (v *visitor) do(method, path string, form url.Values, h ...headers) page {
	v.Helper()
	if method == http.MethodPost {
		h = append([]headers{{"Content-Type": "application/x-www-form-urlencoded", "Origin": v.url}}, h...)
	}
	return v.doBody(method, path, strings.NewReader(form.Encode()), h...)
}

func (v *visitor) doBody(method, path string, body io.Reader, h ...headers) page {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, v.url+path, body)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for _, all := range h {
		for name, value := range all {
			req.Header.Set(name, value)
		}
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(answer))
	if err != nil {
		v.Fatal(err)
	}
	return page{v.T, resp.StatusCode, resp.Header, string(answer), doc}
}

// page is an answer.
type page struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	doc    *html.Node
}

// wantStatus stops the test when the answer has another status.
func (p page) wantStatus(status int) page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("status %d, want %d: %s", p.status, status, p.text("main"))
	}
	return p
}

// wantText fails the test when the elements that the selector finds do not hold the text.
func (p page) wantText(selector, text string) {
	p.t.Helper()
	if got := p.text(selector); !strings.Contains(got, text) {
		p.t.Errorf("%s: %q does not hold %q", selector, got, text)
	}
}

func (p page) location() string { return p.header.Get("Location") }

// text is the text of the elements that the selector finds, in single spaces.
func (p page) text(selector string) string {
	var b strings.Builder
	for _, n := range find(p.doc, selector) {
		writeText(&b, n)
		b.WriteByte(' ')
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func writeText(b *strings.Builder, n *html.Node) {
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
	}
	for c := range n.ChildNodes() {
		writeText(b, c)
	}
	switch n.Data {
	case "dt", "dd", "p", "div", "li", "th", "td", "h1", "h2", "h3", "form", "a", "button": // not inside a line
		b.WriteByte(' ')
	}
}

func (p page) has(selector string) bool { return len(find(p.doc, selector)) > 0 }

// attr is an attribute of the first element that the selector finds.
func (p page) attr(selector, name string) string {
	found := find(p.doc, selector)
	if len(found) == 0 {
		p.t.Errorf("nothing matches %s", selector)
		return ""
	}
	value, _ := attribute(found[0], name)
	return value
}

// syncBuffer is a log that tests may read while the server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// auditCount is how often an action stands in the audit log.
func (s *site) auditCount(action gatehouse.Action) int {
	s.Helper()
	events, _, err := s.store.Audit(s.Context(), gatehouse.AuditQuery{}, nil)
	if err != nil {
		s.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if e.Action == action {
			n++
		}
	}
	return n
}
