package access

import (
	"encoding/base64"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func hashOf(s string) gatehouse.SecretHash { return secret.Hash(s) }

// TestNoCredentialIsReadWhereNoneBelongs puts a good secret where it must not count, and a bad one where it must.
func TestNoCredentialIsReadWhereNoneBelongs(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("single", gatehouse.ReadWrite, nil)
	other := e.token("cluster", gatehouse.ReadWrite, tenant7)
	key := secret.New(secret.APIKey).Reveal()
	wrong := secret.New(secret.AccessToken).Reveal()
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

	for what, head := range map[string]string{
		"in the query":                      "GET /api/v1/query?authKey=" + s + "&token=" + s + "&access_token=" + s + "&api_key=" + s + "&u=x&p=" + s + " HTTP/1.1\r\nHost: x\r\n",
		"in the path":                       "GET /" + s + "/api/v1/query HTTP/1.1\r\nHost: x\r\n",
		"in the target's user":              "GET http://x:" + s + "@127.0.0.1/api/v1/query HTTP/1.1\r\nHost: x\r\n",
		"in a cookie":                       "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nCookie: Authorization=Bearer " + s + "; token=" + s + "\r\n",
		"in the management API's header":    "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nX-VM-Cloud-Access: " + s + "\r\n",
		"for a proxy":                       "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Bearer " + s + "\r\n",
		"in look-alikes":                    "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + s + "\r\nApi_Key: " + s + "\r\nDD_API_KEY: " + s + "\r\nX-Authorization: Bearer " + s + "\r\nX-Forwarded-Authorization: Bearer " + s + "\r\n",
		"as the user of Basic":              "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + basic(s+":") + "\r\n",
		"as Basic without a colon":          "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + basic(s) + "\r\n",
		"with a scheme of two words":        "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer Token " + s + "\r\n",
		"with a tab after the scheme":       "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\t" + s + "\r\n",
		"with an equals sign":               "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer=" + s + "\r\n",
		"quoted":                            "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \"" + s + "\"\r\n",
		"with another behind a comma":       "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s + ", Bearer " + s + "\r\n",
		"twice":                             "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s + "\r\nauthorization: Bearer " + s + "\r\n",
		"twice, and once more elsewhere":    "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + wrong + "\r\nAuthorization: Bearer " + wrong + "\r\nDD-API-KEY: " + s + "\r\n",
		"behind a wrong one":                "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + wrong + "\r\nDD-API-KEY: " + s + "\r\nApi-Key: " + s + "\r\n",
		"behind an empty Bearer":            "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer  \r\nDD-API-KEY: " + s + "\r\n",
		"behind Basic that is no base64":    "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %%%\r\nDD-API-KEY: " + s + "\r\n",
		"as one of two keys":                "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nDD-API-KEY: " + s + "\r\nDd-Api-Key: " + wrong + "\r\nApi-Key: " + s + "\r\n",
		"cut off":                           "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s[:len(s)-1] + "\r\n",
		"with a letter more":                "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s + "x\r\n",
		"with a space within":               "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s[:20] + " " + s[20:] + "\r\n",
		"in small letters":                  "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.ToLower(s) + "\r\n",
		"of invalid UTF-8":                  "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe" + s + "\r\n",
		"of 100 KB":                         "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat(s, 2500) + "\r\n",
		"of 100 KB of Basic":                "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + basic("x:"+strings.Repeat(s, 1800)) + "\r\n",
		"an API key":                        "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n",
		"an API key as Datadog's":           "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nDD-API-KEY: " + key + "\r\nX-VM-Cloud-Access: " + key + "\r\n",
		"an access token as an API key":     "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Replace(s, "vmat_", "vmak_", 1) + "\r\n",
		"in a header that Connection names": "GET /api/v1/query HTTP/1.1\r\nHost: x\r\nConnection: Authorization\r\nX-Api-Key: " + s + "\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			answers := e.attack(t, head+"\r\n")
			if len(answers) == 0 || answers[0].StatusCode != 401 {
				t.Errorf("%v", answers.statuses())
			}
			for _, a := range answers {
				if strings.Contains(a.body, s[5:12]) || strings.Contains(a.body, key[5:12]) {
					t.Errorf("the answer shows a secret: %s", a.body)
				}
			}
			if seen := e.backend.take(); len(seen) != 0 {
				t.Errorf("the backend sees %q", seen[0].raw)
			}
		})
	}

	t.Run("two good ones are never added up", func(t *testing.T) {
		// The first place decides: the cluster's token, whose path this is not.
		e.attack(t, "GET /select/8/prometheus/api/v1/query HTTP/1.1\r\n"+bearing(other)+"DD-API-KEY: "+s+"\r\n\r\n")
		e.attack(t, "GET /render HTTP/1.1\r\n"+bearing(other)+"DD-API-KEY: "+s+"\r\n\r\n")
		if seen := e.backend.take(); len(seen) != 0 {
			t.Errorf("the backend sees %q", seen[0].raw)
		}
		e.attack(t, "GET /prometheus/api/v1/query HTTP/1.1\r\n"+bearing(other)+"DD-API-KEY: "+s+"\r\nApi-Key: "+s+"\r\nCookie: "+s+"\r\n\r\n")
		seen := e.backend.take()
		if len(seen) != 1 || seen[0].path != "/select/7/prometheus/api/v1/query" {
			t.Fatalf("the backend sees %q", seen)
		}
		seen[0].mustNotBetray(t, s, other)
	})
	t.Run("the log and the metrics keep all of them secret", func(t *testing.T) {
		var metrics strings.Builder
		e.table.WriteMetrics(&metrics)
		for _, value := range []string{s, other, key, wrong} {
			if value = value[9:20]; strings.Contains(e.log.String(), value) || strings.Contains(metrics.String(), value) {
				t.Error("a secret shows")
			}
		}
	})
}
