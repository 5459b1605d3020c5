package snippet

import (
	"strings"
	"testing"
)

func TestCall(t *testing.T) {
	f := func(got string, want ...string) {
		t.Helper()
		for _, part := range append(want, "X-VM-Cloud-Access: $GATEHOUSE_API_KEY\nEOF\n") {
			if !strings.Contains(got, part) {
				t.Errorf("there is no %q in\n%s", part, got)
			}
		}
	}
	const url = "https://gatehouse.example.com"
	f(Call(url, "GET", "/api/v1/deployments/{id}", "", ""), "'https://gatehouse.example.com/api/v1/deployments/DEPLOYMENT_ID'")
	f(Call(url, "POST", "/api/v1/deployments", `{"name":"it's"}`, ""), `--data-raw '{"name":"it'\''s"}'`)
	f(Call(url, "PUT", "/api/v1/users/{user}/role", `{}`, ""), "-X PUT", "/users/USER_ID/role'")
	f(Call(url, "POST", "/api/v1/users/{user}/disable", "", ""), "-X POST")
	f(Call(url, "POST", "/api/v1/deployments/{id}/rule-sets/files/{name}", "", "rules.yml"), "--data-binary @rules.yml", "/FILE_NAME'")
	if get := Call(url, "GET", "/api/v1/tiers", "", ""); strings.Contains(get, "-X") || strings.Contains(get, "--data") {
		t.Errorf("a GET is\n%s", get)
	}
}
