package gatehouse

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestConnectedURLs(t *testing.T) {
	check := func(url string) error {
		return NewDeployment{Name: "a", Type: SingleNode, URLs: []string{url}}.CheckConnected()
	}
	accept := func(url string) {
		t.Helper()
		if err := check(url); err != nil {
			t.Errorf("%q is refused: %v", url, err)
		}
	}
	refuse := func(url, why string) {
		t.Helper()
		err := check(url)
		wantField(t, err, "url")
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%q is refused with %q, which does not say %q", url, err, why)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message for %q repeats the password", url)
		}
	}
	accept("http://10.0.0.5:8428")
	accept("https://vm.example.com")
	accept("https://vm.example.com/")
	accept("https://vm.example.com/metrics/eu-1")
	accept("http://[::1]:8428")
	accept("http://[fe80::1%25eth0]:8428")
	accept("HTTP://vm:1")

	refuse("", "full http or https URL")
	refuse("10.0.0.5:8428", "full http or https URL")
	refuse("vm.example.com", "full http or https URL")
	refuse("//vm.example.com", "full http or https URL")
	refuse("ftp://vm.example.com", "full http or https URL")
	refuse("file:///etc/passwd", "full http or https URL")
	refuse("http://", "full http or https URL")
	refuse("http://:8428", "full http or https URL")
	refuse("http:///api", "full http or https URL")
	refuse("http://vm\n.example.com", "full http or https URL")
	refuse(" http://vm", "full http or https URL")
	refuse("http://vm:port", "full http or https URL")
	refuse("http://ops:hunter2@vm:port", "full http or https URL")
	refuse("http://ops:hunter2@vm:8428", "user name or password")
	refuse("http://ops@vm:8428", "user name or password")
	refuse("http://@vm:8428", "user name or password")
	refuse("http://169.254.169.254/latest", "link-local")
	refuse("http://[::ffff:169.254.169.254]/latest", "link-local")
	refuse("http://vm:0", "valid port")
	refuse("http://vm:65536", "valid port")
	refuse("http://vm?token=hunter2", "query or fragment")
	refuse("http://vm?", "query or fragment")
	refuse("http://vm/#hunter2", "query or fragment")
	refuse("http://vm/#", "query or fragment")
	refuse("http://vm/a/../b", "unusual path")
	refuse("http://vm/..", "unusual path")
	refuse("http://vm/./b", "unusual path")
	refuse("http://vm//b", "unusual path")
	refuse("http://vm/%2e%2e/b", "unusual path")
	refuse("http://vm/a%2fb", "unusual path")
	refuse("http://vm/a%20b", "unusual path")
	refuse("http://vm/a b", "unusual path")
	refuse("http://vm/"+strings.Repeat("a", 2000), "2000 characters")
}

func FuzzConnectedURL(f *testing.F) {
	for _, s := range []string{"http://vm:8428", "https://u:p@vm/", "http://vm/a/../b?c#d", "http://[::1]:80/x", "//vm", "http://vm/%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := NewDeployment{Name: "a", Type: SingleNode, URLs: []string{s}}
		if n.CheckConnected() != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.User != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || path.Clean("/"+u.Path) != "/"+strings.Trim(u.Path, "/") {
			t.Fatalf("%q is accepted", s)
		}
		if joined, err := url.Parse(strings.TrimRight(s, "/") + "/api/v1/query"); err != nil || joined.Host != u.Host || !strings.HasSuffix(joined.Path, "/api/v1/query") {
			t.Fatalf("%q cannot be extended", s)
		}
	})
}

func TestCheckConnected(t *testing.T) {
	url := []string{"http://vm:8428"}
	f := func(n NewDeployment, badField string) {
		t.Helper()
		n.Name = "a"
		err := n.CheckConnected()
		if badField == "" {
			if err != nil {
				t.Errorf("%+v is refused: %v", n, err)
			}
			return
		}
		wantField(t, err, badField)
	}
	f(NewDeployment{Type: SingleNode, URLs: url}, "")
	f(NewDeployment{Type: Cluster, InsertURLs: url, SelectURLs: url}, "")
	f(NewDeployment{Type: SingleNode, URLs: url, MaxConcurrentRequests: MostConcurrentRequests}, "")

	f(NewDeployment{Type: SingleNode, URLs: slices.Repeat(url, MostURLs)}, "")
	f(NewDeployment{Type: SingleNode, URLs: slices.Repeat(url, MostURLs+1)}, "url")
	f(NewDeployment{URLs: url}, "type")
	f(NewDeployment{Type: "mesh", URLs: url}, "type")
	f(NewDeployment{Type: SingleNode}, "url")
	f(NewDeployment{Type: SingleNode, URLs: []string{"http://vm:8428", "vm"}}, "url")
	f(NewDeployment{Type: SingleNode, URLs: url, InsertURLs: url}, "url")
	f(NewDeployment{Type: Cluster, URLs: url}, "url")
	f(NewDeployment{Type: Cluster, SelectURLs: url}, "insert_url")
	f(NewDeployment{Type: Cluster, InsertURLs: url}, "select_url")
	f(NewDeployment{Type: SingleNode, URLs: url, Tier: "small"}, "tier")
	f(NewDeployment{Type: SingleNode, URLs: url, Retention: DefaultRetention}, "tier")
	f(NewDeployment{Type: SingleNode, URLs: url, MaxConcurrentRequests: -1}, "max_concurrent_requests")
	f(NewDeployment{Type: SingleNode, URLs: url, MaxConcurrentRequests: MostConcurrentRequests + 1}, "max_concurrent_requests")
}

func TestCheckManaged(t *testing.T) {
	f := func(n NewDeployment, badField string) {
		t.Helper()
		err := n.CheckManaged()
		if badField == "" {
			if err != nil {
				t.Errorf("%+v is refused: %v", n, err)
			}
			return
		}
		wantField(t, err, badField)
	}
	for _, typ := range []DeploymentType{SingleNode, Cluster} {
		f(NewDeployment{Name: "a", Type: typ}, "")
		for _, tier := range Tiers {
			badField := ""
			if tier.Type != typ {
				badField = "tier"
			}
			f(NewDeployment{Name: "a", Type: typ, Tier: tier.Name, Retention: Retention{Value: 6, Unit: "m"}}, badField)
		}
	}
	f(NewDeployment{Type: SingleNode}, "name")
	f(NewDeployment{Name: "a"}, "type")
	f(NewDeployment{Name: "a", Type: Cluster, SelectURLs: []string{"http://vm"}}, "url")
	f(NewDeployment{Name: "a", Type: SingleNode, URLs: []string{"http://vm"}}, "url")
	f(NewDeployment{Name: "a", Type: SingleNode, InsertURLs: []string{"http://vm"}}, "url")
	f(NewDeployment{Name: "a", Type: SingleNode, Tier: "huge"}, "tier")
	f(NewDeployment{Name: "a", Type: SingleNode, Retention: Retention{Value: 5, Unit: "y"}}, "retention")
	f(NewDeployment{Name: "a", Type: SingleNode, Retention: Retention{Unit: "d"}}, "retention")
	f(NewDeployment{Name: "a", Type: SingleNode, Retention: Retention{Value: 36001, Unit: "d"}}, "retention")
}
