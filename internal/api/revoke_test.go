package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// halfSent sends a request but for the end of its body, and comes back once the key has been looked at. finish sends the rest and
// gives the answer.
func (s *site) halfSent(key, method, path, body string) (finish func() answer) {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	half := len(body) / 2
	fmt.Fprintf(conn, "%s /api/v1/%s HTTP/1.1\r\nHost: x\r\nX-VM-Cloud-Access: %s\r\nContent-Length: %d\r\n\r\n%s", method, path, key, len(body), body[:half])
	s.waitForUse(key)
	return func() answer {
		s.Helper()
		if _, err := io.WriteString(conn, body[half:]); err != nil {
			s.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			s.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			s.Fatal(err)
		}
		return answer{s.T, resp.StatusCode, resp.Header, string(text)}
	}
}

func (s *site) waitForUse(key string) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.keyOf(key).LastUse != nil {
			return
		}
	}
	s.Fatal("the key is never looked at")
}

func (s *site) keyOf(key string) gatehouse.APIKey {
	s.Helper()
	all, err := s.control.APIKeys(s.Context(), system)
	if err != nil {
		s.Fatal(err)
	}
	for _, k := range all {
		if k.Mask == key[5:9] {
			return k
		}
	}
	s.Fatal("there is no such key")
	return gatehouse.APIKey{}
}

func TestAKeyThatIsRevokedBeforeTheBodyEndsDoesNothing(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	f := func(method, path, body string) {
		t.Helper()
		key := s.key("leaked")
		finish := s.halfSent(key, method, path, body)
		if err := s.control.RevokeAPIKey(t.Context(), system, s.keyOf(key).ID); err != nil {
			t.Fatal(err)
		}
		finish().refused(401, "unknown or revoked")
	}
	f("POST", "api_keys", `{"name":"heir","permissions":"rw","expires":"never"}`)
	f("POST", "deployments/"+id+"/access_tokens", `{"type":"rw","description":"heir"}`)
	f("POST", "users", `{"email":"heir@example.com","role":"admin"}`)
	f("POST", "deployments/"+id+"/rule-sets/files/heir.yml", rules)
	f("PUT", "deployments/"+id, updateBody)
	for _, path := range []string{"api_keys", "users", "deployments/" + id + "/access_tokens", "deployments/" + id + "/rule-sets/files", "deployments/" + id} {
		if got := c.get(strings.Split(path, "/")...).ok(); strings.Contains(got.body, "heir") || strings.Contains(got.body, "renamed") {
			t.Errorf("%s has %s", path, got.body)
		}
	}
}

func TestASlowBodyOfAKeyThatStillWorksIsTaken(t *testing.T) {
	s := newSite(t)
	finish := s.halfSent(s.key("good"), "POST", "api_keys", `{"name":"made","permissions":"r","expires":"never"}`)
	finish().ok()
}
