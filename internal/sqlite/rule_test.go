package sqlite

import (
	"reflect"
	"slices"
	"testing"

	"gatehouse/internal/gatehouse"
)

func ruleFileOf(d gatehouse.Deployment, name string, rules int, groups ...string) gatehouse.RuleFile {
	return gatehouse.RuleFile{DeploymentID: d.ID, Name: name, Content: []byte("content\x00\xff\r\n of " + name), Groups: groups, Rules: rules,
		ChangedAt: start, ChangedBy: "ops@example.com"}
}

// put stores a file and gives the one that it replaced.
func put(t *testing.T, s *Store, f gatehouse.RuleFile) (old *gatehouse.RuleFile, err error) {
	t.Helper()
	err = s.PutRuleFile(t.Context(), f, func(was *gatehouse.RuleFile) gatehouse.AuditEvent {
		old = was
		return event(gatehouse.RulesUploaded, f.Name)
	})
	return old, err
}

func TestRuleFilesComeBackAsTheyWere(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	first := ruleFileOf(d, "b", 2, "one", `"two"`)
	if old, err := put(t, s, first); err != nil || old != nil {
		t.Fatalf("replaced %+v, %v", old, err)
	}
	if got, err := s.RuleFile(t.Context(), d.ID, "b"); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("read back as %+v, %v; want %+v", got, err, first)
	}
	second := ruleFileOf(d, "b", 3, "one")
	second.Content = []byte("other")
	if old, err := put(t, s, second); err != nil || !reflect.DeepEqual(*old, first) {
		t.Errorf("replaced %+v, %v; want %+v", old, err, first)
	}
	_, err := put(t, s, ruleFileOf(d, "a", 1, "three"))
	must(t, err)
	all, err := s.RuleFiles(t.Context(), d.ID)
	second.Content = nil
	if err != nil || len(all) != 2 || all[0].Name != "a" || !reflect.DeepEqual(all[1], second) {
		t.Errorf("listed as %+v, %v", all, err)
	}
	_, err = s.RuleFile(t.Context(), d.ID, "c")
	wantError(t, err, gatehouse.NotFound, "no rule file")
	if n := count(t, s.read, `SELECT count(*) FROM audit WHERE action = ?`, gatehouse.RulesUploaded); n != 3 {
		t.Errorf("there are %d records of 3 uploads", n)
	}
}

func TestChangedRulesAreNewsOfTheirDeployment(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	addDeployment(t, s, "other")
	seq, err := s.Changes(t.Context(), 0, func(gatehouse.Change) {})
	must(t, err)
	told := func(what string) {
		t.Helper()
		var ids []string
		seq, err = s.Changes(t.Context(), seq, func(c gatehouse.Change) { ids = append(ids, c.Deployment.ID) })
		must(t, err)
		if !slices.Equal(ids, []string{d.ID}) {
			t.Errorf("of a file that was %s, the news are about %q", what, ids)
		}
	}
	_, err = put(t, s, ruleFileOf(d, "a", 1, "g"))
	must(t, err)
	told("uploaded")
	_, err = put(t, s, ruleFileOf(d, "a", 2, "g"))
	must(t, err)
	told("replaced")
	must(t, s.DeleteRuleFile(t.Context(), d.ID, "a", func(gatehouse.RuleFile) gatehouse.AuditEvent { return event(gatehouse.RulesDeleted, d.ID) }))
	told("deleted")
}

func TestTheRuleSetIsWhatIsEvaluated(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	for _, name := range []string{"b", "a"} {
		_, err := put(t, s, ruleFileOf(d, name, 1, "group "+name))
		must(t, err)
	}
	must(t, s.UpdateDeployment(t.Context(), d.ID, func(d *gatehouse.Deployment) (gatehouse.AuditEvent, error) {
		d.NotifierURL = "http://alertmanager:9093"
		return event(gatehouse.DeploymentChanged, d.ID), nil
	}))
	set, err := s.RuleSet(t.Context(), d.ID)
	must(t, err)
	if len(set.Files) != 2 || set.Files[0].Name != "a" || len(set.Files[1].Content) == 0 || set.NotifierURL != "http://alertmanager:9093" {
		t.Errorf("got %+v", set)
	}
	if found, err := s.FindDeployment(t.Context(), d.ID); err != nil || found.NotifierURL != set.NotifierURL {
		t.Errorf("the deployment says %q, %v", found.NotifierURL, err)
	}
	if set, err := s.RuleSet(t.Context(), "gone"); err != nil || len(set.Files) != 0 {
		t.Errorf("of a deployment that is gone: %+v, %v", set, err)
	}
}

func TestLimitsCountTheOtherFilesOfTheDeployment(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	other, _ := addDeployment(t, s, "other")
	f := func(file gatehouse.RuleFile, words ...string) {
		t.Helper()
		before := dump(t, s)
		_, err := put(t, s, file)
		if words == nil {
			must(t, err)
			return
		}
		wantError(t, err, gatehouse.Invalid, words...)
		if dump(t, s) != before {
			t.Error("a refused file left something behind")
		}
	}
	f(ruleFileOf(d, "a", 60, "one", "two"))
	f(ruleFileOf(d, "b", 40, "three"))
	f(ruleFileOf(d, "c", 1, "four"), "101 rules")
	f(ruleFileOf(d, "b", 41, "three"), "101 rules")
	f(ruleFileOf(d, "b", 1, "four", "two"), `"a"`, `"two"`)
	f(ruleFileOf(d, "a", 59, "two", "five"))
	f(ruleFileOf(d, "b", 1, "one"))
	f(ruleFileOf(other, "a", 100, "one", "two"))

	large := ruleFileOf(other, "large", 0)
	large.Content = make([]byte, gatehouse.MostRuleBytes)
	f(large, "bytes together", "delete some")
	large.Content = large.Content[:gatehouse.MostRuleBytes/2]
	f(large)
	f(large) // a file replaces itself
	large.Name = "larger"
	f(large, "bytes together")
}

func TestRulesOfADeletedDeploymentAreRefused(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	_, err := put(t, s, ruleFileOf(d, "a", 1, "g"))
	must(t, err)
	must(t, s.DeleteDeployment(t.Context(), d.ID, event(gatehouse.DeploymentDeleted, d.ID)))
	_, err = put(t, s, ruleFileOf(d, "a", 1, "g"))
	wantError(t, err, gatehouse.NotFound, "deleted in the meantime")
	if n := count(t, s.read, `SELECT count(*) FROM rule_files`); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestDeletedRuleFileIsGone(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	for _, name := range []string{"a", "b"} {
		_, err := put(t, s, ruleFileOf(d, name, 1, name))
		must(t, err)
	}
	record := func(old gatehouse.RuleFile) gatehouse.AuditEvent {
		if string(old.Content) != string(ruleFileOf(d, "a", 1).Content) {
			t.Errorf("deleted %+v", old)
		}
		return event(gatehouse.RulesDeleted, old.Name)
	}
	must(t, s.DeleteRuleFile(t.Context(), d.ID, "a", record))
	before := dump(t, s)
	wantError(t, s.DeleteRuleFile(t.Context(), d.ID, "a", record), gatehouse.NotFound, "no rule file")
	if all, err := s.RuleFiles(t.Context(), d.ID); err != nil || len(all) != 1 || all[0].Name != "b" || dump(t, s) != before {
		t.Errorf("left is %+v, %v", all, err)
	}
}
