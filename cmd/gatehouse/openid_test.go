package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// identityProvider is a real OpenID Connect provider, see openidprovider/. A person's given name stands for their group.
type identityProvider struct{ issuer string }

const providerPassword = "a password at the provider"

// startIdentityProvider starts the provider with people by name, each in a group, and lets it send them back to the console.
func startIdentityProvider(t *testing.T, consoleURL string, groups map[string]string) identityProvider {
	t.Helper()
	program := filepath.Join(engineDir(t), "openid-provider")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the OpenID provider is missing (%v); build it with: go tool task openid-provider", err)
	}
	people := map[string]any{}
	for name, group := range groups {
		people["id of "+name] = map[string]any{
			"ID": "id of " + name, "Username": name, "Password": providerPassword, "FirstName": group, "LastName": name,
			"Email": name + "@example.com", "EmailVerified": !strings.HasPrefix(name, "unverified"),
		}
	}
	text, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(users, text, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "PORT="+port, "USERS_FILE="+users, "REDIRECT_URI="+redirectURL(consoleURL))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	issuer := "http://localhost:" + port + "/"
	eventually(t, "the OpenID provider is up", func() error {
		_, err := fetch(issuer + ".well-known/openid-configuration")
		return err
	})
	return identityProvider{issuer}
}

// serveWithProvider starts Gatehouse together with a provider, and without engines, of which its log would tell.
func serveWithProvider(t *testing.T, dataDir string, groups map[string]string) (*program, identityProvider) {
	t.Helper()
	consoleURL := "http://" + net.JoinHostPort("127.0.0.1", freePort(t))
	provider := startIdentityProvider(t, consoleURL, groups)
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dataDir, "--engine-dir", t.TempDir(), "--console-listen", strings.TrimPrefix(consoleURL, "http://"),
		"--openid-issuer", provider.issuer, "--openid-client-id", "web", "--openid-client-secret-file", secretFile, "--openid-label", "Example SSO",
		"--openid-role-claim", "given_name", "--openid-role", "platform-team=admin", "--openid-role", "observability=editor")
	return p, provider
}

// newBrowser keeps cookies, and follows redirects as a browser does.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: patience}
}

// arrived reads the page at which a request ended and where it came from.
func arrived(t *testing.T, r *http.Response, err error) (status int, at *url.URL, text string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Request.URL, string(body)
}

var loginForm = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signInThrough begins at Gatehouse, signs in at the provider, and gives the page at which the browser ends.
func signInThrough(t *testing.T, p *program, provider identityProvider, browser *http.Client, name string) (status int, at *url.URL, text string) {
	t.Helper()
	r, err := browser.Get(p.console + "/sign-in/openid?next=%2Fdeployments%3Fhello%3D1")
	_, _, form := arrived(t, r, err)
	id := loginForm.FindStringSubmatch(form)
	if id == nil {
		t.Fatalf("the provider shows no form to sign in:\n%s", form)
	}
	r, err = browser.PostForm(provider.issuer+"login/username", url.Values{"id": {id[1]}, "username": {name}, "password": {providerPassword}})
	return arrived(t, r, err)
}

// stateOf finds what the browser keeps of a sign-in that has begun.
func stateOf(t *testing.T, browser *http.Client, consoleURL string) string {
	t.Helper()
	u, err := url.Parse(consoleURL + "/sign-in/openid")
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range browser.Jar.Cookies(u) {
		if values, err := url.ParseQuery(cookie.Value); err == nil && values.Get("state") != "" {
			return values.Get("state")
		}
	}
	t.Fatal("the browser keeps no state")
	return ""
}

func TestSignInThroughAnOpenIDProvider(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	p, provider := serveWithProvider(t, dataDir, map[string]string{
		"ada": "platform-team", "eve": "observability", "mallory": "sales", "unverified": "platform-team", "local": "platform-team",
	})
	must(t, dataDir, "correct horse battery", "user", "create", "--email", "local@example.com", "--role", "viewer")

	t.Run("the sign-in page offers it", func(t *testing.T) {
		r, err := newBrowser(t).Get(p.console + "/sign-in")
		if _, _, text := arrived(t, r, err); !strings.Contains(text, "Sign in with Example SSO") {
			t.Errorf("there is no button:\n%s", text)
		}
	})
	t.Run("a member of the right group comes in with their role, to the page they wanted", func(t *testing.T) {
		status, at, text := signInThrough(t, p, provider, newBrowser(t), "ada")
		if status != http.StatusOK || at.String() != p.console+"/deployments?hello=1" || !strings.Contains(text, "ada@example.com") {
			t.Errorf("ended at %s with status %d", at, status)
		}
		if users := must(t, dataDir, "", "user", "list"); !regexp.MustCompile(`ada@example.com\s+admin`).MatchString(users) {
			t.Errorf("the user was not made as an admin:\n%s", users)
		}
	})
	t.Run("another group has another role", func(t *testing.T) {
		browser := newBrowser(t)
		signInThrough(t, p, provider, browser, "eve")
		r, err := browser.Get(p.console + "/users")
		if status, _, _ := arrived(t, r, err); status != http.StatusForbidden {
			t.Errorf("an editor may see the users: status %d", status)
		}
	})
	t.Run("the second time it is the same user", func(t *testing.T) {
		signInThrough(t, p, provider, newBrowser(t), "ada")
		if users := must(t, dataDir, "", "user", "list"); strings.Count(users, "ada@example.com") != 1 {
			t.Errorf("there are two of them:\n%s", users)
		}
	})

	refused := func(name, words string, wantStatus int) {
		t.Helper()
		browser := newBrowser(t)
		status, _, text := signInThrough(t, p, provider, browser, name)
		if status != wantStatus || !strings.Contains(text, words) {
			t.Errorf("%s: got status %d, want %d and %q in\n%s", name, status, wantStatus, words, text)
		}
		r, err := browser.Get(p.console + "/deployments")
		if _, at, _ := arrived(t, r, err); at.Path != "/sign-in" {
			t.Errorf("%s is in all the same, at %s", name, at)
		}
	}
	t.Run("no group, no entrance", func(t *testing.T) { refused("mallory", "gives you no role", http.StatusForbidden) })
	t.Run("an email address that nobody has verified proves nothing", func(t *testing.T) {
		refused("unverified", "not verified", http.StatusForbidden)
	})
	t.Run("the provider cannot take over a user with a password", func(t *testing.T) {
		refused("local", "password", http.StatusConflict)
		if users := must(t, dataDir, "", "user", "list"); !regexp.MustCompile(`local@example.com\s+viewer`).MatchString(users) {
			t.Errorf("the role has changed:\n%s", users)
		}
	})
	t.Run("a disabled user stays out", func(t *testing.T) {
		must(t, dataDir, "", "user", "disable", "eve@example.com")
		refused("eve", "disabled", http.StatusForbidden)
	})
	t.Run("an answer for another browser is refused", func(t *testing.T) {
		attacker := newBrowser(t)
		attacker.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.Path, "/sign-in/openid/callback") {
				return http.ErrUseLastResponse // keeps code and state for the victim
			}
			return nil
		}
		r, err := attacker.Get(p.console + "/sign-in/openid")
		_, _, form := arrived(t, r, err)
		r, err = attacker.PostForm(provider.issuer+"login/username", url.Values{
			"id": {loginForm.FindStringSubmatch(form)[1]}, "username": {"ada"}, "password": {providerPassword},
		})
		arrived(t, r, err)
		callback := r.Header.Get("Location")
		if !strings.Contains(callback, "code=") {
			t.Fatalf("the provider did not send back a code: %q", callback)
		}
		r, err = newBrowser(t).Get(callback)
		if status, _, text := arrived(t, r, err); status != http.StatusUnauthorized || !strings.Contains(text, "another browser") {
			t.Errorf("got status %d:\n%s", status, text)
		}
	})
	t.Run("a refusal at the provider is told", func(t *testing.T) {
		browser := newBrowser(t)
		r, err := browser.Get(p.console + "/sign-in/openid")
		_, at, _ := arrived(t, r, err)
		if at.Host == strings.TrimPrefix(p.console, "http://") {
			t.Fatalf("the browser did not leave: %s", at)
		}
		state := stateOf(t, browser, p.console)
		r, err = browser.Get(p.console + "/sign-in/openid/callback?error=access_denied&state=" + state)
		if status, _, text := arrived(t, r, err); status != http.StatusUnauthorized || !strings.Contains(text, "did not sign you in") {
			t.Errorf("got status %d:\n%s", status, text)
		}
		eventually(t, "the log tells it", func() error {
			if !strings.Contains(p.log.String(), "access_denied") {
				return errors.New("it does not")
			}
			return nil
		})
	})
	t.Run("strangers with invented answers write nothing into the log", func(t *testing.T) {
		before := len(p.log.String())
		for range 3 {
			r, err := newBrowser(t).Get(p.console + "/sign-in/openid/callback?state=x&error=" + strings.Repeat("A", 20_000))
			if status, _, _ := arrived(t, r, err); status != http.StatusUnauthorized {
				t.Errorf("got status %d", status)
			}
		}
		for line := range strings.Lines(p.log.String()[before:]) { // engines and the history write there meanwhile
			if about := strings.ToLower(line); strings.Contains(about, "aaaa") || strings.Contains(about, "sign") || strings.Contains(about, "openid") || strings.Contains(about, "provider") {
				t.Errorf("the log says %.300s", line)
			}
		}
	})
	t.Run("the audit log tells who came in and who did not", func(t *testing.T) {
		records := must(t, dataDir, "", "audit", "list", "--json")
		for _, want := range []string{
			"user.signed_in", "user.sign_in_failed", "ada@example.com", "mallory@example.com", "gives you no role", "is not verified", "did not sign you in",
		} {
			if !strings.Contains(records, want) {
				t.Errorf("there is no %q in\n%s", want, records)
			}
		}
	})
}

func TestGatehouseStartsWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	p := serve(t, newDataDir(t), "--openid-issuer", "http://127.0.0.1:"+freePort(t), "--openid-client-id", "web", "--openid-default-role", "viewer")
	r, err := newBrowser(t).Get(p.console + "/sign-in/openid")
	if status, _, text := arrived(t, r, err); status != http.StatusServiceUnavailable || !strings.Contains(text, "identity provider does not answer") {
		t.Errorf("got status %d:\n%s", status, text)
	}
}

func TestWrongOpenIDFlagsAreExplained(t *testing.T) {
	t.Parallel()
	f := func(words string, flags ...string) {
		t.Helper()
		p, err := tryServe(t, newDataDir(t), flags...)
		if err == nil {
			t.Fatalf("%q: it starts", flags)
		}
		<-p.ended
		if code := p.cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(p.log.String(), words) {
			t.Errorf("%q: got exit code %d, want %q in\n%s", flags, code, words, p.log)
		}
	}
	issuer := []string{"--openid-issuer", "https://sso.example.com"}
	f("client ID is missing", issuer...)
	f("--openid-default-role", append(issuer, "--openid-client-id", "web")...)
	f("role \"root\" is unknown", append(issuer, "--openid-client-id", "web", "--openid-default-role", "root")...)
	f("cannot be read", append(issuer, "--openid-client-id", "web", "--openid-default-role", "viewer", "--openid-client-secret-file", "/nowhere")...)
	f("not a full http or https URL", "--openid-issuer", "sso.example.com")
}
