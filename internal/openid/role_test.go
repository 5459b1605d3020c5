package openid

import (
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestClaimsGiveARole(t *testing.T) {
	rule := func(claim, fallback string, mappings ...string) RoleRule {
		t.Helper()
		r, err := ParseRoleRule(claim, mappings, fallback)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	f := func(name string, r RoleRule, claims map[string]any, want gatehouse.Role) {
		t.Helper()
		got, err := r.role(claims)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
		}
		if err != nil && gatehouse.ErrorCode(err) != gatehouse.Forbidden {
			t.Errorf("%s: the error has the code %q", name, gatehouse.ErrorCode(err))
		}
	}
	list := func(values ...any) any { return values }

	f("a string", rule("role", ""), map[string]any{"role": "editor"}, gatehouse.Editor)
	f("a list, the mightiest wins", rule("groups", ""), map[string]any{"groups": list("viewer", "admin", "editor")}, gatehouse.Admin)
	f("a mapping", rule("groups", "", "platform=editor"), map[string]any{"groups": list("platform")}, gatehouse.Editor)
	f("a mapping with = in the value", rule("groups", "", "cn=ops,dc=x=admin"), map[string]any{"groups": list("cn=ops,dc=x")}, gatehouse.Admin)
	f("with a mapping, a role's name counts no more", rule("groups", "", "platform=editor"), map[string]any{"groups": list("admin", "platform")}, gatehouse.Editor)
	f("unless it is mapped", rule("groups", "", "admin=viewer"), map[string]any{"groups": "admin"}, gatehouse.Viewer)
	f("inside an object", rule("realm_access.roles", ""), map[string]any{"realm_access": map[string]any{"roles": list("viewer")}}, gatehouse.Viewer)
	f("a name with dots", rule("https://example.com/roles", ""), map[string]any{"https://example.com/roles": list("editor")}, gatehouse.Editor)
	f("no claim, but a default", rule("groups", "viewer"), map[string]any{}, gatehouse.Viewer)
	f("no rule but the default", rule("", "viewer"), map[string]any{"": "admin"}, gatehouse.Viewer)

	f("only a role's name, beside a mapping", rule("groups", "", "platform=editor"), map[string]any{"groups": "admin"}, "")
	f("no claim", rule("groups", ""), map[string]any{}, "")
	f("another value", rule("groups", ""), map[string]any{"groups": list("Admin", "administrators", 7, nil)}, "")
	f("a claim of another type", rule("groups", ""), map[string]any{"groups": map[string]any{"admin": true}}, "")
}

func TestBadRoleRulesAreRefused(t *testing.T) {
	f := func(claim, fallback string, mappings ...string) {
		t.Helper()
		if r, err := ParseRoleRule(claim, mappings, fallback); gatehouse.ErrorCode(err) != gatehouse.Invalid {
			t.Errorf("%q, %q, %q is taken as %+v (%v)", claim, fallback, mappings, r, err)
		}
	}
	f("", "")
	f("groups", "root")
	f("groups", "", "ops")
	f("groups", "", "ops=root")
	f("groups", "", "=admin")
}

func TestAnUnverifiedEmailIsNobodys(t *testing.T) {
	f := func(claims map[string]any, trust bool, want string) {
		t.Helper()
		if got, err := emailOf(claims, trust); got != want || (err == nil) != (want != "") {
			t.Errorf("%v, trusted %v: got %q (%v), want %q", claims, trust, got, err, want)
		}
	}
	f(map[string]any{"email": "A@example.com", "email_verified": true}, false, "a@example.com")
	f(map[string]any{"email": "a@example.com", "email_verified": "true"}, false, "a@example.com")
	f(map[string]any{"email": "a@example.com", "email_verified": false}, false, "")
	f(map[string]any{"email": "a@example.com", "email_verified": "false"}, false, "")
	f(map[string]any{"email": "a@example.com", "email_verified": 1}, false, "")
	f(map[string]any{"email": "a@example.com"}, false, "")
	f(map[string]any{"email": "a@example.com"}, true, "a@example.com")
	f(map[string]any{"email": "not an address", "email_verified": true}, false, "")
	f(map[string]any{"email": 7}, true, "")
	f(map[string]any{}, true, "")
}
