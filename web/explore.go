package web

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) explorePage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	page := views.ExplorePage{Deployment: d, Sees: views.SeesOf(actor), Theme: themeOf(r)}
	tenant, err := page.ReadTenant(strings.TrimSpace(r.FormValue("tenant")))
	if err != nil {
		page.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), page)
	}
	if c.Explore == nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "this console cannot show vmui")
	}
	if d.State.Status == gatehouse.Running {
		session, err := c.sessions.Get(r, sessionCookie)
		if err != nil {
			return err
		}
		page.Frame = c.frames.open(frame{session.ID, d.ID, c.Explore(d.ID, actor.Name, tenant), time.Now().Add(frameTime)})
		h := w.Header()
		h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; frame-src 'self'")
	}
	return c.show(w, r, http.StatusOK, page)
}

// frame is vmui on an Explore page that somebody has opened.
//
// vmui comes from the deployment, so it may be anybody's program. It runs in an origin of its own (isolate), which has no cookies; what
// stands for the session in its requests is the key in their path. A key is good for reading this deployment, as long as the session
// goes on and no longer than frameTime.
type frame struct {
	sessionID    string
	deploymentID string
	reader       http.Handler
	until        time.Time
}

const (
	frameTime  = 4 * time.Hour
	mostFrames = 20 // that a session has at a time; the oldest go first
)

// frames are those that are open, by key. A restart of the server ends them all.
type frames struct {
	mu  sync.Mutex
	all map[string]frame
}

// open gives the key of a new frame.
func (f *frames) open(n frame) (key string) {
	key = rand.Text()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]frame{}
	}
	maps.DeleteFunc(f.all, func(_ string, old frame) bool { return time.Now().After(old.until) })
	var same []string
	for k, old := range f.all {
		if old.sessionID == n.sessionID {
			same = append(same, k)
		}
	}
	if len(same) >= mostFrames {
		delete(f.all, slices.MinFunc(same, func(a, b string) int { return f.all[a].until.Compare(f.all[b].until) }))
	}
	f.all[key] = n
	return key
}

func (f *frames) find(key string) (frame, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.all[key]
	return found, ok && time.Now().Before(found.until)
}

// withFrames serves what frames ask for. That is no part of the console: to the browser, a frame is another site. It stands outside
// withRecovery too, which would log the key.
func (c *console) withFrames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, views.FramesURL)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		key, path, _ := strings.Cut(rest, "/")
		c.serveFrame(w, r, key, "/"+path)
	})
}

// serveFrame passes a request for the path on to the deployment.
func (c *console) serveFrame(w http.ResponseWriter, r *http.Request, key, path string) {
	isolate(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost: // vmui queries by POST
	default:
		refuseFrame(w, http.StatusMethodNotAllowed, "vmui may only read")
		return
	}
	f, ok := c.frames.find(key)
	if !ok {
		refuseFrame(w, http.StatusNotFound, "this view has ended; reload the page")
		return
	}
	actor, err := c.Control.SessionActor(r.Context(), f.sessionID, clientaddr.Of(r, c.TrustedProxies))
	if err == nil {
		_, err = c.Control.Deployment(r.Context(), actor, f.deploymentID)
	}
	if err != nil {
		if statusOf(err) >= 500 {
			c.Log.Error("the console could not serve vmui", "error", err)
		}
		refuseFrame(w, statusOf(err), gatehouse.ErrorMessage(err))
		return
	}
	// The deployment, the access log and whatever else sees the request from here on learn nothing of the key.
	out := r.Clone(r.Context())
	out.URL.Path, out.URL.RawPath = path, ""
	out.RequestURI = ""
	out.Header.Del("Referer")
	out.Header.Del("Origin")
	if strings.HasSuffix(path, "/") { // the page of vmui, before which the script is put
		out.Header.Del("Accept-Encoding")
	}
	// A query may take longer than a page; the reader sets deadlines of its own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	f.reader.ServeHTTP(&frameWriter{ResponseWriter: w}, out)
}

// refuseFrame answers as VictoriaMetrics would, so that vmui shows the text.
func refuseFrame(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": "unavailable", "error": text})
}

//go:embed explore_storage.js
var storageScript string

var frameScript = "<!DOCTYPE html><script>" + storageScript + "</script>"

var framePolicy = func() string {
	hash := sha256.Sum256([]byte(storageScript))
	return "sandbox allow-scripts; default-src 'none'; script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; " +
		"style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; " +
		"form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
}()

// isolate sets the headers of everything that a frame gets. The sandbox makes an opaque origin of it, even where it is opened outside
// its frame: it cannot read the console's pages, and its requests carry no cookie and count as those of another site. The rest of the
// policy keeps it from passing on what it reads, by anything but leading itself to another page.
func isolate(h http.Header) {
	h.Set("Content-Security-Policy", framePolicy)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // the frame is of another origin than its own address
	h.Set("Access-Control-Allow-Origin", "null")
	h.Set("Referrer-Policy", "no-referrer") // a referrer would hold the key
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// frameHeaders are what the frame learns of an answer's own headers. With others, a hostile deployment could end the viewer's session
// (Clear-Site-Data), lead the browser to another server (Alt-Svc, Location) or loosen the isolation.
var frameHeaders = []string{"Content-Type", "Content-Length", "Content-Encoding", "Connection", "Retry-After"}

// frameWriter isolates an answer of the deployment.
type frameWriter struct {
	http.ResponseWriter
	begun bool
}

// Unwrap is for http.ResponseController.
func (w *frameWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *frameWriter) WriteHeader(status int) {
	if w.begun || status < 200 {
		return
	}
	w.begun = true
	h := w.Header()
	maps.DeleteFunc(h, func(name string, _ []string) bool { return !slices.Contains(frameHeaders, name) })
	isolate(h)
	page := strings.HasPrefix(h.Get("Content-Type"), "text/html") && h.Get("Content-Encoding") == ""
	if page {
		h.Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
	if page {
		_, _ = io.WriteString(w.ResponseWriter, frameScript) // a browser ignores the second doctype, and goes on with the head
	}
}

func (w *frameWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}
