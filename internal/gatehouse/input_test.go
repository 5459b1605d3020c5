package gatehouse

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// wantField fails unless err is an Invalid error that names the field and reads as one lower-case sentence.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if ErrorCode(err) != Invalid || ErrorField(err) != field {
		t.Fatalf("got code %q, field %q (%v); want an invalid field %q", ErrorCode(err), ErrorField(err), err, field)
	}
	message := ErrorMessage(err)
	if strings.ContainsAny(message, "\n\r\x00") || len(message) > 400 || strings.HasSuffix(message, ".") {
		t.Fatalf("the message is not one short line: %q", message)
	}
}

func TestCheckName(t *testing.T) {
	accept := func(name string) {
		t.Helper()
		if err := CheckName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	refuse := func(name, why string) {
		t.Helper()
		err := CheckName(name)
		wantField(t, err, "name")
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%q is refused with %q, which does not say %q", name, err, why)
		}
	}
	accept("a")
	accept("vmagent in Zürich, 2nd rack")
	accept("<script>alert(1)</script>")
	accept(`'; DROP TABLE tokens; --`)
	accept("監視")
	accept(strings.Repeat("ü", 100))

	refuse("", "empty")
	refuse(strings.Repeat("x", 101), "101 characters")
	refuse(strings.Repeat("ü", 101), "101 characters")
	refuse(strings.Repeat("x", 1<<20), "1048576 characters")
	refuse("a\x00b", "U+0000")
	refuse("a\nb", "U+000A")
	refuse("a\x7fb", "U+007F")
	refuse("a\u0085b", "U+0085")
	refuse("a\u200bb", "U+200B") // zero-width space
	refuse("a\u202eb", "U+202E") // turns the reading direction
	refuse("a\u2028b", "U+2028") // line separator
	refuse("\xff", "UTF-8")
	refuse(" a", "space")
	refuse("a ", "space")
	refuse(" ", "space")
	refuse("a\u00a0", "space")
}

func TestParseAccess(t *testing.T) {
	f := func(s string, read, write bool, label string) {
		t.Helper()
		a, err := ParseAccess(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if a.CanRead() != read || a.CanWrite() != write || a.Label() != label {
			t.Errorf("%q reads %v, writes %v, is labelled %q", s, a.CanRead(), a.CanWrite(), a.Label())
		}
	}
	f("r", true, false, "Read")
	f("w", false, true, "Write")
	f("rw", true, true, "Read/Write")

	for _, s := range []string{"", "R", "wr", "rw ", "read", "admin", strings.Repeat("r", 1<<16)} {
		a, err := ParseAccess(s)
		wantField(t, err, "access")
		if a.CanRead() || a.CanWrite() {
			t.Errorf("the refused access %q still allows something", s)
		}
	}
	if Access("x").CanRead() || Access("x").CanWrite() {
		t.Error("an unknown access allows something")
	}
}

func TestParseTenant(t *testing.T) {
	f := func(s, canonical string) {
		t.Helper()
		tenant, err := ParseTenant(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if tenant.String() != canonical {
			t.Errorf("%q becomes %q, want %q", s, tenant, canonical)
		}
		if again, err := ParseTenant(canonical); err != nil || again != tenant {
			t.Errorf("%q does not survive its canonical form", s)
		}
	}
	f("0", "0")
	f("7", "7")
	f("7:0", "7")
	f("007", "7")
	f("007:09", "7:9")
	f("0:1", "0:1")
	f("4294967295:4294967295", "4294967295:4294967295")

	for _, s := range []string{"", "+7", " 7", "7 ", "-1", "7:", ":7", ":", "7:1:2", "7:+1", "7:-1", "4294967296", "7:4294967296",
		"multitenant", "7.0", "0x7", "1_000", "٧", "7\x00", "7\n", strings.Repeat("0", 65), "7%3A0"} {
		_, err := ParseTenant(s)
		wantField(t, err, "tenant")
	}
}

func FuzzParseTenant(f *testing.F) {
	for _, s := range []string{"7", "7:9", "007", "+7", ":", "4294967296"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tenant, err := ParseTenant(s)
		if err != nil {
			return
		}
		if strings.Trim(s, "0123456789:") != "" {
			t.Fatalf("%q is accepted", s)
		}
		if again, err := ParseTenant(tenant.String()); err != nil || again != tenant {
			t.Fatalf("%q becomes %q, which is not the same", s, tenant)
		}
	})
}

func TestParseRetention(t *testing.T) {
	f := func(s, label string) {
		t.Helper()
		r, err := ParseRetention(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if r.Label() != label {
			t.Errorf("%q is labelled %q, want %q", s, r.Label(), label)
		}
		if again, err := ParseRetention(r.String()); err != nil || again != r {
			t.Errorf("%q does not survive its printed form %q", s, r)
		}
	}
	f("", "")
	f("1d", "1 day")
	f("30d", "30 days")
	f("36000d", "36000 days")
	f("1m", "1 month")
	f("1200m", "1200 months")

	for _, s := range []string{"0d", "0m", "36001d", "1201m", "4294967296d", "d", "m", "30", "30y", "30D", "-1d", "+1d", "1.5d", " 1d", "1d ", "30dd", "30é"} {
		_, err := ParseRetention(s)
		wantField(t, err, "retention")
	}
}

func TestParseEmail(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got, err := ParseEmail(s); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", s, got, err, want)
		}
	}
	f("ops@example.com", "ops@example.com")
	f("  Ops+On-Call@Example.COM \n", "ops+on-call@example.com")

	for _, s := range []string{"", "ops", "ops@", "@example.com", "Ops <ops@example.com>", "<ops@example.com>", "a@b, c@d", "a b@example.com",
		"a@b\nBcc: c@d", "a@b\x00", strings.Repeat("a", 250) + "@b.example"} {
		_, err := ParseEmail(s)
		wantField(t, err, "email")
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"ops@example.com", " Ops@Example.COM", "Ops <ops@example.com>", `"a b"@example.com`, "a@[127.0.0.1]", "ü@exämple.com", "K@İ.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := ParseEmail(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(email, "\r\n\x00<>, ") || !strings.Contains(email, "@") {
			t.Fatalf("%q becomes %q", s, email)
		}
		if len(email) > 200 {
			return // the lower-case form of a long one may be longer than the limit
		}
		if again, err := ParseEmail(email); err != nil || again != email {
			t.Fatalf("%q becomes %q, then %q, %v", s, email, again, err)
		}
	})
}

func TestCheckPassword(t *testing.T) {
	for _, ok := range []string{"twelve chars", strings.Repeat("ü", 12), strings.Repeat("x", 1000)} {
		if err := CheckPassword(ok); err != nil {
			t.Errorf("%q is refused: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "eleven char", strings.Repeat("ü", 11), strings.Repeat("x", 1001)} {
		err := CheckPassword(bad)
		wantField(t, err, "password")
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Error("the message repeats the password")
		}
	}
}

func TestParseRoleAndType(t *testing.T) {
	for _, s := range []string{"admin", "editor", "viewer"} {
		if _, err := ParseRole(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "Admin", "root"} {
		_, err := ParseRole(s)
		wantField(t, err, "role")
	}
	for _, s := range []string{"single_node", "cluster"} {
		if _, err := ParseDeploymentType(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "single-node", "CLUSTER"} {
		_, err := ParseDeploymentType(s)
		wantField(t, err, "type")
	}
}

func TestRolesCarryTheirRights(t *testing.T) {
	all := []Right{ViewDeployments, ChangeDeployments, ViewTokens, ChangeTokens, RevealTokens, ManageUsers, ManageServer}
	f := func(role Role, rights ...Right) {
		t.Helper()
		want := map[Right]bool{}
		for _, r := range rights {
			want[r] = true
		}
		for _, r := range all {
			if got := role.Can(r); got != want[r] {
				t.Errorf("role %q, right to %s: %v", role, r, got)
			}
		}
	}
	f(Admin, all...)
	f(Editor, ViewDeployments, ChangeDeployments, ViewTokens, ChangeTokens, RevealTokens)
	f(Viewer, ViewDeployments)
	f("")
	f("root")
}

func TestNewTokenCheck(t *testing.T) {
	tenant := &Tenant{AccountID: 7}
	f := func(n NewToken, typ DeploymentType, badField string) {
		t.Helper()
		err := n.Check(typ)
		if badField == "" {
			if err != nil {
				t.Errorf("%+v is refused: %v", n, err)
			}
			return
		}
		wantField(t, err, badField)
	}
	f(NewToken{Name: "a", Access: Read}, SingleNode, "")
	f(NewToken{Name: "a", Access: Write, Tenant: tenant}, Cluster, "")
	f(NewToken{Name: "a", Access: Read, Tenant: tenant}, SingleNode, "tenant")
	f(NewToken{Name: "a", Access: "x"}, Cluster, "access")
	f(NewToken{Name: "a"}, Cluster, "access")
	f(NewToken{Access: Read}, Cluster, "name")
}

func TestErrorsHideTheirCauseFromUsers(t *testing.T) {
	cause := errors.New("open /secret/path: denied")
	err := fmt.Errorf("outer: %w", Errorf(Unavailable, "the disk is %s", "full").WithCause(cause))
	if got := ErrorMessage(err); got != "the disk is full" {
		t.Errorf("the user reads %q", got)
	}
	if ErrorCode(err) != Unavailable || !errors.Is(err, cause) || !strings.Contains(err.Error(), "/secret/path") {
		t.Errorf("the log reads %q", err)
	}
	if got := ErrorMessage(cause); strings.Contains(got, "/secret/path") || ErrorCode(cause) != Internal {
		t.Errorf("the user reads %q", got)
	}
	if ErrorCode(nil) != "" || ErrorMessage(nil) != "" || ErrorField(nil) != "" {
		t.Error("no error has a code, message or field")
	}
}
