package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func fetch(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", url, resp.StatusCode, body)
	}
	return string(body), err
}

// below is the program as a client sees it that was given a URL with a path, in a (sub)test.
func (p *program) below(t *testing.T, prefix string) *program {
	q := *p
	q.t, q.access = t, q.access+prefix
	return &q
}

// answers sends a request that has to be answered with a status.
func (p *program) answers(want int, method, secret, path, body string) {
	p.t.Helper()
	if a := p.request(method, secret, path, body); a.status != want {
		p.t.Errorf("%s %s answered %d, want %d: %s", method, path, a.status, want, a.body)
	}
}

func tenantToken(t *testing.T, p *program, name, tenant string) string {
	t.Helper()
	return newToken(t, p.dataDir, "fleet", name, "rw", "--tenant", tenant)
}

// arrivesIn waits until a metric is found in a tenant, and in no other.
func (c *cluster) arrivesIn(t *testing.T, tenant, metric string) {
	t.Helper()
	eventually(t, metric+" is in "+tenant+" alone", func() error {
		found, err := c.holders(metric)
		if err == nil && found != tenant {
			err = fmt.Errorf("it is in %q", found)
		}
		return err
	})
}

const writeSuffix, readSuffix = "/prometheus/api/v1/import/prometheus", "/prometheus/api/v1/query"

// TestTokensStayInTheirTenants writes and reads with both kinds of token, and lets a token of tenant 7 try to reach tenant 8.
func TestTokensStayInTheirTenants(t *testing.T) {
	t.Parallel()
	for name, start := range clusters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			p := serve(t, newDataDir(t), "--engine-dir", t.TempDir())
			c.connect(p, "fleet")
			seven, any := tenantToken(t, p, "seven", "7"), newToken(t, p.dataDir, "fleet", "any", "rw")

			t.Run("a tenant token needs no tenant in the URL and takes its own", func(t *testing.T) {
				p := p.below(t, "")
				p.answers(http.StatusNoContent, "POST", seven, writeSuffix, "by_suffix 1")
				c.arrivesIn(t, "7:0", "by_suffix")
				p.below(t, "/prometheus").reads(seven, "7")
				for i, own := range []string{"7", "7:0", "007", "%37"} {
					name := fmt.Sprintf("spelled_out_%d", i)
					p.answers(http.StatusNoContent, "POST", seven, "/insert/"+own+writeSuffix, name+" 1")
					c.arrivesIn(t, "7:0", name)
					p.below(t, "/select/"+own+"/prometheus").reads(seven, "7")
				}
			})
			t.Run("an any-tenant token names the tenant", func(t *testing.T) {
				p := p.below(t, "")
				for _, tenant := range []string{"7", "8"} {
					p.answers(http.StatusNoContent, "POST", any, "/insert/"+tenant+writeSuffix, "into_"+tenant+" 1")
					c.arrivesIn(t, tenant+":0", "into_"+tenant)
					p.below(t, "/select/"+tenant+"/prometheus").reads(any, tenant)
				}
				if a := p.request("POST", any, writeSuffix, "x 1"); a.status != http.StatusForbidden {
					t.Errorf("without a tenant it is answered %d: %s", a.status, a.body)
				}
			})
			t.Run("labels choose the tenant of an any-tenant token under multitenant", func(t *testing.T) {
				if !c.multitenant {
					t.Skip("single nodes know no tenants")
				}
				p.below(t, "").answers(http.StatusNoContent, "POST", any, "/insert/multitenant"+writeSuffix, `by_label{vm_account_id="8",vm_project_id="0"} 1`)
				c.arrivesIn(t, "8:0", "by_label")
			})
			t.Run("a tenant token writes to no other tenant", func(t *testing.T) { c.attackWrites(p.below(t, ""), seven) })
			t.Run("a tenant token reads from no other tenant", func(t *testing.T) { attackReads(p.below(t, ""), seven) })
		})
	}
}

// reads waits until the marker of a tenant is read.
func (p *program) reads(secret, tenant string) {
	p.t.Helper()
	eventually(p.t, "the marker of tenant "+tenant+" is read", func() error {
		n, err := p.query(secret, "marker")
		if err == nil && fmt.Sprint(n) != tenant {
			err = fmt.Errorf("got that of tenant %v", n)
		}
		return err
	})
}

// otherTenants are paths that name another tenant than 7, before the suffix.
var otherTenants = []string{"/insert/8", "/insert/8:0", "/insert/08", "/insert/%38", "/insert/0", "/insert/7:1", "/insert/multitenant", "//insert//8",
	"/insert/7/../8", "/insert/7/%2e%2e/8", "/insert/7/insert/8", "/insert/7%2F..%2F8", "/insert/+8", "/insert/7,8", "/insert/%2538", "/insert/8;7", "/INSERT/8",
	"/select/8", "/select/8:0", "/select/08", "/select/%38", "/select/0", "/select/7:1", "/select/multitenant", "//select//8", "/select/7/../8", "/select/7/%2e%2e/8",
	"/select/7/select/8", "/select/7%2F..%2F8", "/select/%2538", "/delete/8", "/prometheus/insert/8", "/prometheus/select/8", "/x/8"}

// disguises name tenant 8 elsewhere than in the path's beginning. Each is one request's query string and headers.
var disguises = []struct {
	query   string
	headers []string
}{
	{"", []string{"AccountID: 8", "ProjectID: 0"}},
	{"", []string{"accountid: 8"}},
	{"", []string{"ACCOUNTID: 8", "AccountID: 8"}},
	{"", []string{"VictoriaMetrics-AccountID: 8", "X-AccountID: 8", "Tenant: 8"}},
	{"", []string{"X-Scope-OrgID: 8", "THANOS-TENANT: 8"}},
	{"", []string{"AccountID: 8", "Connection: AccountID"}},
	{"", []string{"X-Original-URL: /insert/8" + writeSuffix, "X-Rewrite-URL: /select/8" + readSuffix, "X-Forwarded-Prefix: /insert/8"}},
	{"AccountID=8&ProjectID=0", nil},
	{"accountID=8&tenant=8&tenantID=8:0&vm_account_id=8", nil},
	{"extra_label=vm_account_id=8&extra_label=vm_project_id=0", nil},
	{"extra_label=AccountID%3D8&extra_label=VictoriaMetrics_AccountID%3D8", nil},
	{"extra_filters[]={vm_account_id%3D%228%22}&extra_filters={vm_account_id%3D%228%22}", nil},
	{"extra_label=vm_account_id=8", []string{"AccountID: 8", "ProjectID: 0"}},
}

// send sends a request as somebody who tries things, and gives the whole answer.
func (p *program) send(method, secret, path, body string, headers []string) answer {
	p.t.Helper()
	req, err := http.NewRequest(method, p.access+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header[name] = append(req.Header[name], value)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
}

// attackWrites lets a token of tenant 7 try to write to others. Every sample says in its labels that it belongs to tenant 8.
func (c *cluster) attackWrites(p *program, secret string) {
	sample := func(name string) string {
		return name + `{vm_account_id="8",vm_project_id="0",VictoriaMetrics_AccountID="8",AccountID="8",tenant="8"} 1`
	}
	for _, other := range otherTenants {
		for _, headers := range [][]string{nil, {"AccountID: 8", "ProjectID: 0"}} {
			a := p.send("POST", secret, other+writeSuffix+"?AccountID=8&extra_label=vm_account_id=8", sample("smuggled"), headers)
			if a.status != http.StatusForbidden && a.status != http.StatusNotFound {
				p.t.Errorf("%s answered %d: %s", other, a.status, a.body)
			}
		}
	}
	var written []string
	for i, d := range disguises {
		for j, path := range []string{writeSuffix, "/insert/7" + writeSuffix, writeSuffix + "/metrics/vm_account_id/8/vm_project_id/0", writeSuffix + "/metrics/job/insert/AccountID/8"} {
			name := fmt.Sprintf("disguised_%d_%d", i, j)
			if a := p.send("POST", secret, path+"?"+d.query, sample(name), d.headers); a.status/100 != 2 {
				p.t.Errorf("%s?%s with %q answered %d: %s", path, d.query, d.headers, a.status, a.body)
				continue
			}
			written = append(written, name)
		}
	}
	for _, name := range written { // in its own tenant, whatever it claimed
		c.arrivesIn(p.t, "7:0", name)
	}
	if found, err := c.holders("smuggled"); found != "" || err != nil {
		p.t.Errorf("what was refused is in %s: %v", found, err)
	}
}

// attackReads lets a token of tenant 7 try to read the marker of tenant 8.
func attackReads(p *program, secret string) {
	look := func(path, query string, headers []string) {
		query = strings.Trim("nocache=1&query="+url.QueryEscape(`{__name__=~"marker"}`)+"&"+query, "&")
		if a := p.send("GET", secret, path+"?"+query, "", headers); strings.Contains(a.body, "tenant 8") {
			p.t.Errorf("%s?%s with %q answered %d: %s", path, query, headers, a.status, a.body)
		}
		form := append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)
		if a := p.send("POST", secret, path, query, form); strings.Contains(a.body, "tenant 8") {
			p.t.Errorf("%s with the form %s and %q answered %d: %s", path, query, headers, a.status, a.body)
		}
	}
	for _, other := range otherTenants {
		look(other+readSuffix, "", nil)
		look(other+readSuffix, "AccountID=8", []string{"AccountID: 8", "ProjectID: 0"})
	}
	for _, d := range disguises {
		look(readSuffix, d.query, d.headers)
		look("/select/7"+readSuffix, d.query, d.headers)
	}
	p.below(p.t, "/prometheus").reads(secret, "7") // which shows that the attacks could have found something
}
