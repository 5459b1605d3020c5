package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

// ruleFile is a file of one group with so many rules.
func ruleFile(group string, rules int) string {
	content := "groups:\r\n- name: " + group + "\r\n  rules:\r\n"
	for i := range rules {
		content += fmt.Sprintf("  - {record: r%d, expr: up} # %s\r\n", i, group)
	}
	return content + "\n\n"
}

func TestRuleFilesComeBackByteForByte(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	ctx := t.Context()
	content := ruleFile("g", 2)
	must(t, s.PutRuleFile(ctx, editor, d.ID, "b.yml", []byte(content)))
	must(t, s.PutRuleFile(ctx, editor, "prod", "no-extension", []byte(ruleFile("h", 1))))
	f, err := s.RuleFile(ctx, editor, d.ID, "b.yml")
	must(t, err)
	if string(f.Content) != content || f.Rules != 2 || !reflect.DeepEqual(f.Groups, []string{"g"}) || f.ChangedBy != editor.Name || f.ChangedAt.IsZero() {
		t.Errorf("read back as %+v", f)
	}
	all, err := s.RuleFiles(ctx, editor, d.ID)
	must(t, err)
	if len(all) != 2 || all[0].Name != "b.yml" || all[1].Name != "no-extension" || all[0].Content != nil {
		t.Errorf("listed as %+v", all)
	}
	must(t, s.DeleteRuleFile(ctx, editor, d.ID, "b.yml"))
	_, err = s.RuleFile(ctx, editor, d.ID, "b.yml")
	wantError(t, err, gatehouse.NotFound, "no rule file")
	wantError(t, s.DeleteRuleFile(ctx, editor, d.ID, "b.yml"), gatehouse.NotFound, "no rule file")
	must(t, s.DeleteDeployment(ctx, editor, d.ID))
	if strings.Contains(s.dump(t, "audit", "changes"), "no-extension") {
		t.Error("the files outlive their deployment")
	}
}

func TestChangesOfRulesAreRecorded(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	first, second := ruleFile("g", 1), ruleFile("g", 2)
	sum := func(content string) string {
		sum := sha256.Sum256([]byte(content))
		return hex.EncodeToString(sum[:])
	}
	size := func(content string) string { return fmt.Sprint(len(content)) }
	records := s.newRecords(t, func() {
		for _, content := range []string{first, second, second} {
			must(t, s.PutRuleFile(t.Context(), editor, d.ID, "a.yml", []byte(content)))
		}
		must(t, s.DeleteRuleFile(t.Context(), root, d.ID, "a.yml"))
	})
	whole := func(content, rules string) map[string]string {
		return map[string]string{"groups": "1", "rules": rules, "bytes": size(content), "sha256": sum(content)}
	}
	want := []gatehouse.AuditEvent{
		{Action: gatehouse.RulesUploaded, Actor: editor, After: whole(first, "1")},
		{Action: gatehouse.RulesUploaded, Actor: editor,
			Before: map[string]string{"rules": "1", "bytes": size(first), "sha256": sum(first)},
			After:  map[string]string{"rules": "2", "bytes": size(second), "sha256": sum(second)}},
		{Action: gatehouse.RulesUploaded, Actor: editor},
		{Action: gatehouse.RulesDeleted, Actor: root, Before: whole(second, "2")},
	}
	if len(records) != len(want) {
		t.Fatalf("the audit records are %+v", records)
	}
	for i, e := range records {
		if e.Action != want[i].Action || e.Actor.Name != want[i].Actor.Name || e.ObjectName != "a.yml" || e.DeploymentID != d.ID ||
			!sameDetails(e.Before, want[i].Before) || !sameDetails(e.After, want[i].After) {
			t.Errorf("the audit record is %+v", e)
		}
	}
}

// sameDetails takes an empty map for nil.
func sameDetails(a, b map[string]string) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func TestRefusedRulesLeaveNothingBehind(t *testing.T) {
	s := newServer(t, nil)
	d, other := s.connect(t, "prod"), s.connect(t, "other")
	ctx := t.Context()
	must(t, s.PutRuleFile(ctx, root, d.ID, "first.yml", []byte(ruleFile("first", 60))))
	must(t, s.PutRuleFile(ctx, root, d.ID, "second.yml", []byte(ruleFile("second", 30))))
	before := s.dump(t)
	f := func(name, content string, field string, words ...string) {
		t.Helper()
		err := s.PutRuleFile(ctx, root, d.ID, name, []byte(content))
		wantError(t, err, gatehouse.Invalid, words...)
		if gatehouse.ErrorField(err) != field {
			t.Errorf("the error stands beside the field %q", gatehouse.ErrorField(err))
		}
	}
	f("third.yml", ruleFile("third", 11), "content", "101 rules", "may have 100")
	f("second.yml", ruleFile("second", 41), "content", "101 rules")
	f("third.yml", ruleFile("first", 1), "content", `"first.yml"`, `"first"`, "unique")
	f("third.yml", ruleFile("third", 101), "content", "rule number 101")
	f("third.yml", "groups:\n- name: g\n  rules:\n  - record: r\n    expr: sum(\n", "content", "line 5")
	f("third.yml", "", "content", "empty")
	f("", ruleFile("third", 1), "name")
	f("a/b", ruleFile("third", 1), "name")
	f("..", ruleFile("third", 1), "name")
	wantError(t, s.PutRuleFile(ctx, root, "gone", "a", []byte(ruleFile("a", 1))), gatehouse.NotFound, "no deployment")
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
	// What is left may be used, a file may be replaced by a larger one, and other deployments do not count.
	must(t, s.PutRuleFile(ctx, root, d.ID, "third.yml", []byte(ruleFile("third", 10))))
	must(t, s.PutRuleFile(ctx, root, d.ID, "first.yml", []byte(ruleFile("renamed", 60))))
	must(t, s.PutRuleFile(ctx, root, other.ID, "first.yml", []byte(ruleFile("first", 100))))
}

func TestUploadsAtTheSameTimeKeepTheLimits(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	upload := func(name func(i int) string, group func(i int) string, rules int) (accepted int) {
		t.Helper()
		var lock sync.Mutex
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				err := s.PutRuleFile(t.Context(), root, d.ID, name(i), []byte(ruleFile(group(i), rules)))
				lock.Lock()
				defer lock.Unlock()
				if err == nil {
					accepted++
				} else if gatehouse.ErrorCode(err) != gatehouse.Invalid {
					t.Errorf("refused with %v", err)
				}
			})
		}
		all.Wait()
		return accepted
	}
	numbered := func(text string) func(int) string { return func(i int) string { return fmt.Sprint(text, i) } }
	if n := upload(numbered("same"), func(int) string { return "the same" }, 1); n != 1 {
		t.Errorf("%d files with the same group are accepted", n)
	}
	if n := upload(numbered("file"), numbered("group"), 40); n != 2 {
		t.Errorf("%d files of 40 rules are accepted", n)
	}
}
