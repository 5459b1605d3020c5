package engine

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relayed are a relay with two deployments, and where vmalert finds each.
type relayed struct {
	*relay
	log        bytes.Buffer
	mine, hers target
	shut       func() // the door of mine
}

func openRelay(t *testing.T) *relayed {
	t.Helper()
	r := &relayed{}
	r.relay = newRelay(func(id string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "data of %s: %s", id, r.URL.Path) })
	}, slog.New(slog.NewTextHandler(&r.log, nil)))
	t.Cleanup(r.close)
	var err error
	if r.mine, r.shut, err = r.open(testID, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if r.hers, _, err = r.open(otherID, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (t target) password() string {
	password, _ := os.ReadFile(t.passwordFile)
	return string(password)
}

// askRelay sends a request with these credentials.
func askRelay(t *testing.T, url, authorization string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func basicOf(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

func TestTheRelayLeadsEachPasswordToItsDeployment(t *testing.T) {
	r := openRelay(t)
	for _, one := range []target{r.mine, r.hers} {
		status, body := askRelay(t, one.url+"/prometheus/api/v1/query", basicOf(one.username, one.password()))
		if want := "data of " + one.username + ": /prometheus/api/v1/query"; status != http.StatusOK || body != want {
			t.Errorf("status %d: %q; want %q", status, body, want)
		}
	}
}

func TestTheRelayIsShutToEverybodyElse(t *testing.T) {
	r := openRelay(t)
	mine, hers := r.mine.password(), r.hers.password()
	for name, authorization := range map[string]string{
		"no credential":                    "",
		"no password":                      basicOf(testID, ""),
		"a wrong password":                 basicOf(testID, strings.ToLower(mine)),
		"the beginning of the password":    basicOf(testID, mine[:len(mine)-1]),
		"another deployment's password":    basicOf(testID, hers),
		"the password for another":         basicOf(otherID, mine),
		"a deployment that is not relayed": basicOf("2d5f0e1c-0000-4000-8000-000000000000", ""),
		"no deployment":                    basicOf("", ""),
		"no deployment, the password":      basicOf("", mine),
		"the user of engines":              basicOf(engineUser, mine),
		"the password as a token":          "Bearer " + mine,
		"the password with a colon":        basicOf(testID+":", mine),
		"a credential that cannot be read": "Basic !!!",
		"the bare credential":              testID + ":" + mine,
	} {
		status, body := askRelay(t, r.mine.url+"/prometheus/api/v1/query", authorization)
		if status != http.StatusUnauthorized || strings.Contains(body, "data of") || strings.Contains(body, mine) {
			t.Errorf("%s: status %d: %q", name, status, body)
		}
	}
	if strings.Contains(r.log.String(), mine) {
		t.Error("the log holds the password")
	}
}

func TestAPasswordEndsWithItsVmalert(t *testing.T) {
	r := openRelay(t)
	password := r.mine.password()
	r.shut()
	if status, _ := askRelay(t, r.mine.url+"/prometheus/api/v1/query", basicOf(testID, password)); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	if exists(r.mine.passwordFile) {
		t.Error("the password is still on the disk")
	}
	again, _, err := r.open(testID, filepath.Dir(r.mine.passwordFile))
	if err != nil || again.password() == password {
		t.Errorf("the next vmalert has the same password: %v", err)
	}
	if info, err := os.Stat(again.passwordFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v, %v", info, err)
	}
}

func TestTheRelayListensOnLoopbackOnlyAndOnlyWhenNeeded(t *testing.T) {
	r := openRelay(t)
	host, _, err := net.SplitHostPort(strings.TrimPrefix(r.mine.url, "http://"))
	if err != nil || host != "127.0.0.1" {
		t.Errorf("it listens on %s", r.mine.url)
	}
	if r.mine.url != r.hers.url {
		t.Error("there are two relays")
	}
	r.close()
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(r.mine.url, "http://"), time.Second); err == nil {
		conn.Close()
		t.Error("it listens after its end")
	}
	idle := newRelay(nil, slog.Default())
	idle.close()
	if idle.server != nil {
		t.Error("a relay that nobody needs listens")
	}
}

func TestAStrangerCannotHoldAConnectionOfTheRelay(t *testing.T) {
	t.Parallel()
	r := openRelay(t)
	for name, request := range map[string]string{
		"a body that does not come":              "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
		"a chunk that does not come":             "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a body that nobody has asked for":       "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n",
		"a connection that is to be kept":        "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
		"a header that does not come to its end": "GET / HTTP/1.1\r\nHost: x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(r.mine.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, request)
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	}
}

func TestARelayThatHasEndedOpensAgain(t *testing.T) {
	r := openRelay(t)
	r.server.Close()
	eventually(t, "its end is noticed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.server == nil
	})
	again, _, err := r.open(testID, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := askRelay(t, again.url+"/prometheus/api/v1/query", basicOf(testID, again.password())); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}
