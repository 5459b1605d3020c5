package vmauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// plan reads a configuration with the users, written as YAML without their credentials.
func plan(t *testing.T, users ...string) Plan {
	t.Helper()
	text := "users:\n"
	for i, u := range users {
		text += fmt.Sprintf("- bearer_token: a-long-bearer-token-%d\n  %s\n", i, strings.ReplaceAll(strings.TrimSpace(u), "\n", "\n  "))
	}
	p, err := Read([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func TestWhatAUserBecomes(t *testing.T) {
	f := func(user string, kind gatehouse.DeploymentType, access gatehouse.Access, tenant string) {
		t.Helper()
		p := plan(t, user)
		u := p.Users[0]
		if u.Problem != "" {
			t.Errorf("%s\nis left out: %s", user, u.Problem)
			return
		}
		got := "any"
		if u.Tenant != nil {
			got = u.Tenant.String()
		}
		if p.Deployments[u.Deployment].Type != kind || u.Access != access || got != tenant {
			t.Errorf("%s\nbecomes %s %s of tenant %s; want %s %s of %s", user, p.Deployments[u.Deployment].Type, u.Access, got, kind, access, tenant)
		}
	}
	const single, cluster = gatehouse.SingleNode, gatehouse.Cluster
	f("url_prefix: http://vm:8428", single, "rw", "any")
	f("url_prefix: http://vm:8428/", single, "rw", "any")
	f("url_prefix: [http://vm1:8428/prometheus, http://vm2:8428/prometheus]", single, "rw", "any")
	f("url_prefix: http://proxy/some/place", single, "rw", "any")
	f("url_map: [{src_paths: [/api/v1/write], url_prefix: http://vm:8428}]", single, "w", "any")
	f("url_map: [{src_paths: ['/api/v1/query.*'], url_prefix: http://vm:8428}]", single, "r", "any")
	f("url_map: [{src_paths: ['/api/v1/.*'], url_prefix: http://vm:8428}]", single, "rw", "any")
	f("url_map: [{src_paths: ['/prometheus/.*'], url_prefix: http://vm:8428}]", single, "rw", "any")

	f("url_prefix: http://vminsert:8480/insert/7/prometheus", cluster, "w", "7")
	f("url_prefix: http://vminsert:8480/insert/7:3", cluster, "w", "7:3")
	f("url_prefix: http://vminsert/base/insert/007:0/prometheus/", cluster, "w", "7")
	f("url_prefix: [http://vmselect1:8481/select/0/prometheus, http://vmselect2:8481/select/0/prometheus]", cluster, "r", "0")
	f(`url_map:
- src_paths: [/api/v1/query, /api/v1/query_range, '/api/v1/label/[^/]+/values']
  url_prefix: http://vmselect:8481/select/42/prometheus
- src_paths: [/api/v1/write]
  url_prefix: http://vminsert:8480/insert/42/prometheus`, cluster, "rw", "42")
	f(`url_map:
- src_paths: ['/api/v1/(write|import.*)']
  url_prefix: http://vminsert:8480/insert/42/prometheus
url_prefix: http://vmselect:8481/select/42/prometheus`, cluster, "rw", "42")
	f(`url_map:
- {src_paths: ['/insert/.+'], url_prefix: 'http://vminsert:8480'}
- {src_paths: ['/select/.+'], url_prefix: 'http://vmselect:8481'}`, cluster, "rw", "any")
	f("url_map: [{src_paths: ['/(insert|select)/.+'], url_prefix: http://balancer}]", cluster, "rw", "any")
	f("url_map: [{src_paths: ['/select/12/.+'], url_prefix: http://vmselect:8481}]", cluster, "r", "12")
	f("url_map: [{src_paths: ['/select/12:5/prometheus/.+', '/select/12:5/vmui.*'], url_prefix: http://vmselect:8481}]", cluster, "r", "12:5")
	f("url_prefix: http://vminsert:8480", cluster, "w", "any")
	f("url_prefix: http://vmselect:8481", cluster, "r", "any")
	// The first route that matches takes a request.
	f(`url_map:
- {src_paths: ['/api/v1/write'], url_prefix: 'http://vminsert:8480/insert/1/prometheus'}
- {src_paths: ['/api/v1/.*'], url_prefix: 'http://vmselect:8481/select/1/prometheus'}`, cluster, "rw", "1")
}

func TestWhoIsLeftOutAndWhy(t *testing.T) {
	f := func(user, why string) {
		t.Helper()
		if p := plan(t, user); !strings.Contains(p.Users[0].Problem, why) || len(p.Deployments) > 0 {
			t.Errorf("%s\nis left out because %q, with %d deployments; want %q", user, p.Users[0].Problem, len(p.Deployments), why)
		}
	}
	f("name: x", "neither url_prefix nor url_map")
	f("url_prefix: http://vm:8428?extra_label=team=dev&nocache=1", "(extra_label, nocache)")
	f("url_prefix: 'http://u:hunter2@vm:8428'", "user name or password")
	f("url_prefix: 'ftp://vm:8428'", "not a full http")
	f("url_prefix: 'http://vm:8428/select/{{.MetricsTenant}}/prometheus'", "claims of a jwt")
	f("url_prefix: 'http://vminsert:8480/insert/multitenant/prometheus'", "no numeric tenant")
	f("url_prefix: 'http://vminsert:8480/insert'", "without it")
	f("url_prefix: 'http://vminsert:8480/insert/7/influx'", "something else than /prometheus")
	f("url_prefix: [http://vmselect:8481/select/7/prometheus, http://vmselect:8481/select/8/prometheus]", "differ in more than the host")
	f("url_prefix: http://vm:8428/api/v1", "mean something else")
	f("url_prefix: http://vm:8428/internal", "mean something else")
	f("url_map: [{src_hosts: [a.example.com], url_prefix: http://vm:8428}]", "src_hosts")
	f("url_map: [{src_query_args: ['db=foo'], url_prefix: http://vm:8428}]", "src_query_args")
	f("url_map: [{src_headers: ['TenantID: 42'], url_prefix: http://vm:8428}]", "src_headers")
	f("url_map: [{src_paths: [/a/.*], drop_src_path_prefix_parts: 1, url_prefix: http://vm:8428}]", "drop_src_path_prefix_parts")
	f("url_prefix: http://vm:8428\ndrop_src_path_prefix_parts: 2", "drop_src_path_prefix_parts")
	f("url_map: [{src_paths: ['/api/v1/admin/.*'], url_prefix: http://vm:8428}]", "none of the paths")
	f("url_map: [{src_paths: ['/select/logsql/.*'], url_prefix: http://vlogs:9428}]", "none of the paths")
	f("url_map: [{src_paths: ['/select/[12]/.+'], url_prefix: http://vmselect:8481}]", "several tenants")
	f("url_map: [{src_paths: [/api/v1/write], url_prefix: http://vmagent:8429}, {src_paths: ['/api/v1/query'], url_prefix: http://vm:8428}]", "different VictoriaMetrics")
	f(`url_map:
- {src_paths: ['/api/v1/write'], url_prefix: 'http://vminsert:8480/insert/1/prometheus'}
- {src_paths: ['/api/v1/query'], url_prefix: 'http://vmselect:8481/select/2/prometheus'}`, "different tenants")
	f("url_prefix: http://vm:8428\nheaders: ['AccountID: 7']", "AccountID")
	f("url_prefix: http://vm:8428\nheaders: ['Host: other']", "Host header")
	f("url_prefix: http://vm:8428\nheaders: ['Authorization: AWS4 x']", "neither Bearer nor Basic")
	f("url_prefix: http://vm:8428\nip_filters: {allow_list: [10.0.0.0/8]}", "ip_filters")
	f("url_prefix: https://vm:8428\ntls_insecure_skip_verify: true", "tls_ca_file")
	f("url_prefix: https://vm:8428\ntls_server_name: other", "tls_server_name")
	f("url_prefix: https://vm:8428\ntls_ca_file: /nowhere/ca.pem", "cannot be read")
}

func TestDifferencesAreTold(t *testing.T) {
	p := plan(t, "url_map: [{src_paths: ['/api/v1/write', '/api/v1/admin/tsdb/.*'], url_prefix: http://vm:8428}]", "url_prefix: http://vm:8428", `url_map:
- src_paths: [/api/v1/write]
  url_prefix: http://vminsert:8480/insert/7/prometheus
  headers: ['X-Scope-OrgID: abc']
  response_headers: ['X-Server-Hostname:']
  retry_status_codes: [500]
  load_balancing_policy: first_available
max_concurrent_requests: 5
default_url: http://vm:8428/help`)
	narrow, all, tenant := p.Users[0], p.Users[1], p.Users[2]
	if !slices.Contains(narrow.Gained, "/api/v1/import") || !slices.Contains(narrow.Gained, "/influx/write") || slices.Contains(narrow.Gained, "/api/v1/query") {
		t.Errorf("a user for /api/v1/write gains %q", narrow.Gained)
	}
	if !slices.Equal(narrow.Lost, []string{"/api/v1/admin/tsdb/delete_series"}) {
		t.Errorf("a user for two paths loses %q", narrow.Lost)
	}
	if len(all.Gained) > 0 || !slices.Contains(all.Lost, "/api/v1/admin/tsdb/delete_series") || !slices.Contains(all.Lost, "/config") || slices.Contains(all.Lost, "/api/v1/query") {
		t.Errorf("a user for everything gains %q and loses %q", all.Gained, all.Lost)
	}
	notes := strings.Join(tenant.Notes, "\n")
	for _, want := range []string{"X-Scope-OrgID is not sent", "retry_status_codes", "load_balancing_policy", "default_url"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not told:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "X-Server-Hostname") {
		t.Errorf("what Gatehouse does, too, is told:\n%s", notes)
	}
	if limit := p.Deployments[tenant.Deployment].MaxConcurrentRequests; limit != 5 {
		t.Errorf("the limit is %d", limit)
	}
}

func TestUsersOfTheSameBackendsShareADeployment(t *testing.T) {
	const insert, sel = "http://vminsert:8480/insert/", "http://vmselect:8481/select/"
	p := plan(t, "url_prefix: "+insert+"1/prometheus", "url_prefix: "+sel+"2/prometheus", "url_prefix: http://vm:8428", "url_prefix: http://vm:8428/",
		"url_prefix: [http://vm:8428, http://vm2:8428]", "url_prefix: [http://vm2:8428, http://vm:8428]", "url_prefix: http://vm:8428\nheaders: ['Authorization: Bearer upstream']")
	var got []int
	for _, u := range p.Users {
		got = append(got, u.Deployment)
	}
	if want := []int{0, 0, 1, 1, 2, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("the users belong to the deployments %v, want %v", got, want)
	}
	if d := p.Deployments[0]; !slices.Equal(d.InsertURLs, []string{"http://vminsert:8480"}) || !slices.Equal(d.SelectURLs, []string{"http://vmselect:8481"}) {
		t.Errorf("the cluster has the URLs %q and %q", d.InsertURLs, d.SelectURLs)
	}
	if up := p.Deployments[3].Upstream; up.Bearer != "upstream" {
		t.Error("the credential for the backend is lost")
	}
	// Of two clusters, nothing says which parts belong together.
	p = plan(t, "url_prefix: "+insert+"1/prometheus", "url_prefix: http://other:8480/insert/1", "url_prefix: "+sel+"1/prometheus")
	if len(p.Deployments) != 3 || p.Deployments[2].InsertURLs != nil || p.Deployments[0].SelectURLs == nil {
		t.Errorf("the deployments are %+v", p.Deployments)
	}
}

func TestSecretsOfUsers(t *testing.T) {
	read := func(credential string) User {
		t.Helper()
		p, err := Read([]byte("users:\n- " + strings.ReplaceAll(credential, "; ", "\n  ") + "\n  url_prefix: http://vm:8428\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p.Users[0]
	}
	f := func(credential, name, want string) {
		t.Helper()
		if u := read(credential); u.Secret.Reveal() != want || u.Name != name || u.Problem != "" || u.Weak != (len(want) < 16) {
			t.Errorf("%s gives %q with another secret, problem %q", credential, u.Name, u.Problem)
		}
	}
	f("bearer_token: a-long-bearer-token", "imported 1", "a-long-bearer-token")
	f("bearer_token: 12345", "imported 1", "12345")
	f("auth_token: Bearer abc; name: n", "n", "abc")
	f("auth_token: Token abc", "imported 1", "abc")
	f("auth_token: Basic eDp5", "imported 1", "x:y")
	f("username: u; password: a very long password", "u", "u:a very long password")
	f("username: u; name: ' spaced '", "u", "u:")
	f("username: u; password: 'p:q '", "u", "u:p:q ")
	f("username: vmat_u; password: p", "vmat_u", "vmat_u:p")
	own := secret.New(secret.AccessToken).Reveal()
	f("bearer_token: "+own, "imported 1", own)

	refused := func(credential, why string) {
		t.Helper()
		if u := read(credential); !strings.Contains(u.Problem, why) || u.Secret.Reveal() != "" {
			t.Errorf("%s is left out because %q, want %q", credential, u.Problem, why)
		}
	}
	refused("name: n", "no credential")
	refused("jwt: {skip_verify: true}", "jwt")
	refused("auth_token: Digest x", "scheme other than")
	refused("auth_token: Basic '***'", "no valid Basic")
	refused("bearer_token: vmat_x", "Gatehouse's own")
	refused("bearer_token: "+secret.New(secret.APIKey).Reveal(), "Gatehouse's own")
	refused("bearer_token: "+strings.Repeat("x", 5000), "longer")
	refused("bearer_token: ' x'", "space")
}

func TestUnusableFiles(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Read([]byte(text))
		if gatehouse.ErrorCode(err) != gatehouse.Invalid || !strings.Contains(gatehouse.ErrorMessage(err), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
	f("users:\n- bearer_token: hunter2\n  allow: x", `the field "allow" in line 3 is unknown`)
	f("users:\n- bearer_token: [hunter2]\n", "in line 2")
	f("users: hunter2\n", "in line 1")
	f("users:\n- bearer_token: \"hunter2\n", "cannot be read")
	f("users:\n- bearer_token: x\n  url_map: [{src_paths: ['hunter2('], url_prefix: 'http://vm'}]", "in line 3")
	f("hunter2", "cannot be read")
	f("users:\n- bearer_token: '%{NOT_SET_HERE}'\n", "NOT_SET_HERE, which is not set")
	f("users:\n- {bearer_token: hunter2, name: a, url_prefix: 'http://vm'}\n- {auth_token: Bearer hunter2, name: b, url_prefix: 'http://vm'}\n", `"a" and "b" have the same credential`)
	for _, text := range []string{"", "users: []", "{}", "---\n"} {
		if p, err := Read([]byte(text)); err != nil || len(p.Users) > 0 {
			t.Errorf("an empty file gives %+v %v", p, err)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Setenv("VMAUTH_TEST_OUTER", "long-%{VMAUTH_TEST_INNER}-token")
	t.Setenv("VMAUTH_TEST_INNER", "bearer")
	t.Setenv("VMAUTH_TEST_LOOP", "%{VMAUTH_TEST_LOOP}")
	p, err := Read([]byte("users:\n- bearer_token: '%{VMAUTH_TEST_OUTER}'\n  url_prefix: http://vm:8428\n"))
	if err != nil || p.Users[0].Secret.Reveal() != "long-bearer-token" {
		t.Errorf("placeholders are not filled in: %v", err)
	}
	if _, err := Read([]byte("users:\n- bearer_token: '%{VMAUTH_TEST_LOOP}'\n")); gatehouse.ErrorCode(err) != gatehouse.Invalid {
		t.Errorf("a loop gives %v", err)
	}
}

func TestNobodyIsLetInWithoutSayingSo(t *testing.T) {
	p, err := Read([]byte("users:\n- {bearer_token: a, url_prefix: 'http://vm'}\nunauthorized_user: {url_prefix: 'http://vm'}\nip_filters: {deny_list: [10.0.0.1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.LeftOut) != 1 || !strings.Contains(p.LeftOut[0], "unauthorized_user") || !strings.Contains(p.Users[0].Problem, "ip_filters") {
		t.Errorf("%q %q", p.LeftOut, p.Users[0].Problem)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("users:\n- {bearer_token: a, url_prefix: 'http://vm'}"))
	f.Add([]byte("users:\n- username: u\n  url_map:\n  - src_paths: ['/insert/.+']\n    url_prefix: [http://vminsert:8480]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read(text)
		if err != nil && gatehouse.ErrorCode(err) != gatehouse.Invalid {
			t.Fatal(err)
		}
		for _, u := range p.Users {
			if u.Problem == "" && (u.Deployment >= len(p.Deployments) || u.Access == "" || u.Secret.Reveal() == "") {
				t.Fatalf("%q gives %+v", text, u)
			}
		}
	})
}
