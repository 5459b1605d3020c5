package access

import (
	"net/url"
	"strings"
	"testing"
)

// decoded decodes escapes once, as net/http does before a handler runs.
func decoded(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		t.Fatalf("net/http refuses %q itself: %v", raw, err)
	}
	return u.Path
}

func TestCleanPath(t *testing.T) {
	becomes := func(raw, want string) {
		t.Helper()
		got, err := CleanPath(decoded(t, raw))
		if err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", raw, got, err, want)
		}
	}
	becomes("/", "/")
	becomes("/api/v1/write", "/api/v1/write")
	becomes("//api///v1//write", "/api/v1/write")
	becomes("/vmui/", "/vmui/")
	becomes("/vmui//", "/vmui/")
	becomes("/api/v1/label/a%2Fb/values", "/api/v1/label/a/b/values")
	becomes("/api/v1/label/a%2F%2Fb/values", "/api/v1/label/a/b/values")
	becomes("/insert/%37/x", "/insert/7/x")
	becomes("/insert/7%3A0/x", "/insert/7:0/x")
	becomes("/%252e%252e/x", "/%2e%2e/x") // decoded once, not twice
	becomes("/api/v1/label/a..b/values", "/api/v1/label/a..b/values")
	becomes("/.../x", "/.../x")
	becomes("/.well-known", "/.well-known")
	becomes("/API/v1/write", "/API/v1/write")
	becomes("/a%20b%3Fc%23d%3Be%25f", "/a b?c#d;e%f")

	refused := func(raw string) {
		t.Helper()
		if got, err := CleanPath(decoded(t, raw)); err == nil {
			t.Errorf("%q passes as %q; it must be refused", raw, got)
		}
	}
	refused("/.")
	refused("/..")
	refused("/../x")
	refused("/x/..")
	refused("/x/./y")
	refused("/x/%2e%2e/y")
	refused("/x/%2E./y")
	refused("/x%2F..%2Fy")
	refused("/api/v1/label/..%2f..%2fadmin/values")
	refused("/x%00")
	refused("/x%0d%0aHost:%20evil")
	refused("/x%7f")

	for _, path := range []string{"", "*", "x", "host:80"} {
		if _, err := CleanPath(path); err == nil {
			t.Errorf("%q passes; a path must begin with a slash", path)
		}
	}
}

func TestSetPathAsksForExactlyThePath(t *testing.T) {
	f := func(path, wantEscaped string) {
		t.Helper()
		u := &url.URL{Scheme: "http", Host: "backend"}
		setPath(u, path)
		if got := u.RequestURI(); got != wantEscaped {
			t.Errorf("%q is sent as %q; want %q", path, got, wantEscaped)
		}
		if got := decoded(t, u.RequestURI()); got != path {
			t.Errorf("%q arrives as %q", path, got)
		}
	}
	f("/api/v1/label/a/b/values", "/api/v1/label/a/b/values")
	f("/a b", "/a%20b")
	f("/a?b", "/a%3Fb")
	f("/a#b", "/a%23b")
	f("/a%2Fb", "/a%252Fb")
	f("/a;b?c", "/a%3Bb%3Fc")
	f("/7:9/größe", "/7:9/gr%C3%B6%C3%9Fe")
	f("/\xff", "/%FF")
}

func FuzzCleanPath(f *testing.F) {
	for _, raw := range []string{"/", "//x", "/x/%2e%2e/y", "/a%2Fb", "/%252e", "/x%00", "/a;b", "/%ff", "/insert/7%3A0/x", "/..;/x"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		in, err := url.ParseRequestURI(raw)
		if err != nil {
			t.Skip("net/http refuses it")
		}
		path, err := CleanPath(in.Path)
		if err != nil {
			return
		}
		if strings.Contains(path, "//") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
			t.Fatalf("%q passes as %q", raw, path)
		}
		if again, err := CleanPath(path); err != nil || again != path {
			t.Fatalf("%q is not clean: it becomes %q, %v", path, again, err)
		}
		u := &url.URL{Scheme: "http", Host: "backend"}
		setPath(u, path)
		seen, err := url.ParseRequestURI(u.RequestURI())
		if err != nil || seen.Path != path || seen.RawQuery != "" || seen.Fragment != "" {
			t.Fatalf("%q was judged, and the backend sees %+v, %v", path, seen, err)
		}
	})
}
