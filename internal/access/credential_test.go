package access

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func basicAuth(userAndPassword string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userAndPassword))
}

func TestSecretOf(t *testing.T) {
	finds := func(want string, pairs ...string) {
		t.Helper()
		if got, found := secretOf(headers(pairs...)); !found || got != want {
			t.Errorf("%q give %q, %v; want %q", pairs, got, found, want)
		}
	}
	finds("s", "Authorization", "Bearer s")
	finds("s", "Authorization", "bearer s")
	finds("s", "Authorization", "BEARER   s ")
	finds("s", "Authorization", "Token s")
	finds("s", "Authorization", "token s")
	finds("s", "Authorization", basicAuth("anyone:s"))
	finds("s", "Authorization", basicAuth(":s"))
	finds("s:t", "Authorization", basicAuth("anyone:s:t"))
	finds("", "Authorization", basicAuth("s:"))
	finds("s", "Authorization", strings.Replace(basicAuth("x:s"), "Basic", "bAsIc", 1))
	finds("s", "X-Amz-Firehose-Access-Key", "s")
	finds("s", "DD-API-KEY", "s")
	finds("s", "Api-Key", "s")
	finds("s", "X-License-Key", "s")
	// The first place wins, and a broken one is not mended by the next.
	finds("first", "Authorization", "Bearer first", "DD-API-KEY", "second")
	finds("first", "X-Amz-Firehose-Access-Key", "first", "DD-API-KEY", "second", "Api-Key", "third")
	finds("", "Authorization", "Bearer ", "DD-API-KEY", "second")
	finds("", "Authorization", basicAuth("no colon"), "DD-API-KEY", "second")
	finds("", "Authorization", "Basic !!!", "Api-Key", "second")
	finds("", "Authorization", "Bearer a", "Authorization", "Bearer b")
	finds("", "DD-API-KEY", "a", "DD-API-KEY", "b", "Api-Key", "c")
	// Another scheme is for somebody else, for example AWS's signature beside Firehose's key.
	finds("s", "Authorization", "AWS4-HMAC-SHA256 Credential=x", "X-Amz-Firehose-Access-Key", "s")
	finds("", "Authorization", "Digest username=x")
	finds("", "Authorization", "s")

	none := func(pairs ...string) {
		t.Helper()
		if got, found := secretOf(headers(pairs...)); found {
			t.Errorf("%q give %q; want no credential", pairs, got)
		}
	}
	none()
	none("Authorization", "")
	none("Cookie", "token=s")
	none("X-VM-Cloud-Access", "s")
	none("X-Api-Key", "s")
}

func TestImportedUsersAreTheirNameAndPassword(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, echo).URL)
	for _, value := range []string{"ana:same password", "ben:same password", "a bearer token"} {
		e.add(value, "d", gatehouse.Read, nil)
	}
	f := func(want int, pairs ...string) {
		t.Helper()
		req, err := http.NewRequest("GET", e.url+"/api/v1/query", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = headers(pairs...)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q got status %d, want %d", pairs, resp.StatusCode, want)
		}
	}
	f(http.StatusOK, "Authorization", basicAuth("ana:same password"))
	f(http.StatusOK, "Authorization", basicAuth("ben:same password"))
	f(http.StatusOK, "Authorization", basicAuth("a bearer token:"))
	f(http.StatusUnauthorized, "Authorization", basicAuth("carl:same password"))
	f(http.StatusUnauthorized, "Authorization", basicAuth("ana:"))
	f(http.StatusUnauthorized, "Authorization", basicAuth(":same password"))
	f(http.StatusUnauthorized, "Authorization", "Bearer same password")
}

func TestFlawOf(t *testing.T) {
	f := func(value string, want flaw) {
		t.Helper()
		if got, _ := flawOf(value); got != want {
			t.Errorf("%s is %q; want %q", value, got, want)
		}
	}
	token := secret.New(secret.AccessToken).Reveal()
	f(token, "")
	f("an imported secret", "")
	f("", malformed)
	f(token[:len(token)-1], malformed)
	f(token+"x", malformed)
	f(strings.ToUpper(token[:6])+token[6:], "") // no prefix of ours: perhaps imported
	f(token[:8]+swap(token[8])+token[9:], malformed)
	f("vmat_", malformed)
	f(secret.New(secret.APIKey).Reveal(), apiKey)
	f(strings.Repeat("x", mostSecretLength+1), malformed)
}

func swap(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}
