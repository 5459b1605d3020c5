package gatehouse

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestParseLifetime(t *testing.T) {
	f := func(text string, want time.Time) {
		t.Helper()
		if got, err := ParseLifetime(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v (%v), want %v", text, got, err, want)
		}
	}
	f("30d", noon.AddDate(0, 0, 30))
	f("1d", noon.AddDate(0, 0, 1))
	f("never", time.Time{})
	f("2027-01-31", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)) // to the end of that day
	f("2026-11-24", time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))

	for _, bad := range []string{"", "0d", "-1d", "d", "90", "90 d", "1y", "36501d", "4294967296d", "2027-02-30", "31.01.2027", "Never"} {
		_, err := ParseLifetime(bad, noon)
		wantField(t, err, "expires")
	}
}

func TestCheckNewAPIKey(t *testing.T) {
	f := func(n NewAPIKey, badField string) {
		t.Helper()
		err := n.Check(noon)
		if badField == "" && err != nil {
			t.Errorf("%+v is refused: %v", n, err)
		}
		if badField != "" {
			wantField(t, err, badField)
		}
	}
	f(NewAPIKey{Name: "terraform"}, "")
	f(NewAPIKey{Name: "terraform", Deployments: []string{"a"}, ExpiresAt: noon.Add(time.Second)}, "")
	f(NewAPIKey{}, "name")
	f(NewAPIKey{Name: "a", Deployments: []string{}}, "deployments") // nothing chosen is not everything
	f(NewAPIKey{Name: "a", Deployments: make([]string, MostKeyDeployments+1)}, "deployments")
	f(NewAPIKey{Name: "a", ExpiresAt: noon}, "expires")
	f(NewAPIKey{Name: "a", ExpiresAt: noon.AddDate(101, 0, 0)}, "expires")
}

func TestAKeyEndsAtItsTime(t *testing.T) {
	k := APIKey{ExpiresAt: noon}
	if k.Expired(noon.Add(-time.Microsecond)) || !k.Expired(noon) {
		t.Error("the key does not end when it should")
	}
	if (APIKey{}).Expired(noon.AddDate(1000, 0, 0)) {
		t.Error("a key without an end ends")
	}
}

func TestAKeyActsWithinItsBounds(t *testing.T) {
	full, reader := APIKey{}.Actor(""), APIKey{ReadOnly: true}.Actor("")
	scoped := APIKey{Deployments: []string{"mine"}}.Actor("")
	none := APIKey{Deployments: []string{}}.Actor("")
	for _, right := range Rights {
		if !full.Can(right) || !full.CanOn(right, "any") {
			t.Errorf("a full key may not %s", right)
		}
		looks := slices.Contains([]Right{ViewDeployments, ViewTrash, ViewTokens, RevealTokens, ViewRules, ViewLogs, ViewAudit, ViewAPIKeys, ViewUsers}, right)
		if reader.Can(right) != looks || reader.CanOn(right, "any") != looks {
			t.Errorf("a read-only key may %s: %v", right, !looks)
		}
		if scoped.Can(right) || scoped.CanOn(right, "other") || !scoped.CanOn(right, "mine") || !scoped.CanSomewhere(right) {
			t.Errorf("a key for one deployment is not bound to it when it comes to %s", right)
		}
		if none.Can(right) || none.CanOn(right, "") {
			t.Errorf("a key for no deployment may %s", right)
		}
	}
}

func TestRoles(t *testing.T) {
	editors := []Right{ViewDeployments, ChangeDeployments, ViewTrash, ViewTokens, ChangeTokens, RevealTokens, ViewRules, ChangeRules, ViewLogs, ViewAudit}
	for _, right := range Rights {
		for role, want := range map[Role]bool{
			Admin: true, Editor: slices.Contains(editors, right), Viewer: right == ViewDeployments, "": false, "root": false,
		} {
			if role.Can(right) != want {
				t.Errorf("the role %q may %s: %v", role, right, !want)
			}
		}
	}
}
