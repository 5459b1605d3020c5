package control

import (
	"database/sql"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

func TestADeletedDeploymentIsRestoredWithAllButItsTokens(t *testing.T) {
	s := newServer(t, nil)
	d := s.managed(t, "prod")
	settings := d.Settings()
	settings.Tier, settings.StorageGB, settings.Flags.Single = "s.starter.a", 20, []string{"-search.maxQueueDuration=20s"}
	d, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
	must(t, err)
	const rules = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n"
	must(t, s.PutRuleFile(t.Context(), root, d.ID, "rules.yml", []byte(rules)))
	old, oldSecret := s.token(t, d.ID, "vmagent")
	must(t, s.StopDeployment(t.Context(), root, d.ID))
	must(t, s.DeleteDeployment(t.Context(), editor, d.ID))

	trash, err := s.Trash(t.Context(), root)
	must(t, err)
	if len(trash) != 1 || trash[0].Deployment.ID != d.ID || trash[0].DeletedBy != editor.Name || time.Since(trash[0].DeletedAt) > time.Hour {
		t.Fatalf("the trash holds %+v", trash)
	}
	s.wantNowhere(t, oldSecret.Reveal())

	var again gatehouse.Deployment
	events := s.newRecords(t, func() {
		again, err = s.RestoreDeployment(t.Context(), root, "prod", "")
		must(t, err)
	})
	if len(events) != 2 || events[0].Action != gatehouse.DeploymentRestored || events[0].DeploymentID != d.ID || events[1].Action != gatehouse.TokenCreated {
		t.Errorf("the records are %+v", events)
	}
	again, err = s.Deployment(t.Context(), root, again.ID)
	must(t, err)
	again.State, d.State = gatehouse.State{}, gatehouse.State{}
	if !reflect.DeepEqual(again, d) {
		t.Errorf("got  %+v\nwant %+v", again, d)
	}
	f, err := s.RuleFile(t.Context(), root, d.ID, "rules.yml")
	must(t, err)
	if string(f.Content) != rules || f.Rules != 1 || f.ChangedBy != root.Name {
		t.Errorf("the rule file is %+v", f)
	}
	_, err = s.Token(t.Context(), root, old.ID)
	wantError(t, err, gatehouse.NotFound)
	tokens, _, err := s.Tokens(t.Context(), root, gatehouse.TokenQuery{DeploymentID: d.ID})
	must(t, err)
	if len(tokens) != 1 || tokens[0].Name != gatehouse.DefaultTokenName {
		t.Errorf("it has the tokens %+v", tokens)
	}
	_, err = s.RestoreDeployment(t.Context(), root, d.ID, "")
	wantError(t, err, gatehouse.NotFound, "restored already")
}

func TestRestoringIntoANameInUseAsksForAnother(t *testing.T) {
	s := newServer(t, nil)
	first := s.managed(t, "prod")
	must(t, s.DeleteDeployment(t.Context(), root, first.ID))
	second := s.managed(t, "prod")
	before := s.dump(t)
	_, err := s.RestoreDeployment(t.Context(), root, first.ID, "")
	wantError(t, err, gatehouse.Conflict, "choose another name")
	_, err = s.RestoreDeployment(t.Context(), root, first.ID, "a\nb")
	wantError(t, err, gatehouse.Invalid)
	if s.dump(t) != before {
		t.Error("a refused restoration has changed something")
	}
	must(t, s.DeleteDeployment(t.Context(), root, second.ID))
	d, err := s.RestoreDeployment(t.Context(), root, "prod", "")
	must(t, err)
	if d.ID != second.ID {
		t.Error("of two with the same name, not the one last deleted is restored")
	}
	records := s.newRecords(t, func() {
		d, err = s.RestoreDeployment(t.Context(), root, first.ID, "prod of before")
		must(t, err)
	})
	if records[0].Before["name"] != "prod" || records[0].After["name"] != "prod of before" {
		t.Errorf("the new name is recorded as %+v", records[0])
	}
	if d.ID != first.ID || d.Name != "prod of before" {
		t.Errorf("it is restored as %+v", d)
	}
}

func TestConnectedDeploymentsDoNotGoToTheTrash(t *testing.T) {
	s := newServer(t, nil)
	must(t, s.DeleteDeployment(t.Context(), root, s.connect(t, "elsewhere").ID))
	if trash, err := s.Trash(t.Context(), root); err != nil || len(trash) > 0 {
		t.Errorf("the trash holds %+v, %v", trash, err)
	}
}

func TestWhatIsFreedCannotBeRestored(t *testing.T) {
	s := newServer(t, nil)
	freed := func(id string) bool {
		t.Helper()
		was, err := s.store.WasFreed(t.Context(), id)
		must(t, err)
		return was
	}
	old, young := s.managed(t, "old"), s.managed(t, "young")
	must(t, s.DeleteDeployment(t.Context(), root, old.ID))
	between := now()
	time.Sleep(time.Millisecond) // so that the two are deleted at different times
	must(t, s.DeleteDeployment(t.Context(), root, young.ID))
	events := s.newRecords(t, func() {
		n, err := s.FreeTrash(t.Context(), root, between)
		must(t, err)
		if n != 1 {
			t.Errorf("%d deployments were freed, want 1", n)
		}
	})
	if len(events) != 1 || events[0].Action != gatehouse.DataFreed || events[0].ObjectName != "old" {
		t.Errorf("the records are %+v", events)
	}
	if !freed(old.ID) || freed(young.ID) {
		t.Error("the wrong one was freed")
	}
	_, err := s.RestoreDeployment(t.Context(), root, old.ID, "")
	wantError(t, err, gatehouse.NotFound, "freed")
	must(t, s.FreeDeployment(t.Context(), root, "young"))
	if !freed(young.ID) {
		t.Error("the one that was given up by hand is not freed")
	}
	wantError(t, s.FreeDeployment(t.Context(), root, "young"), gatehouse.NotFound)
}

func TestADamagedDeploymentIsNotRestored(t *testing.T) {
	s := newServer(t, nil)
	d := s.managed(t, "prod")
	must(t, s.DeleteDeployment(t.Context(), root, d.ID))
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, sqlite.File))
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `UPDATE deleted_deployments SET deployment = '{}'`)
	must(t, err)
	before := s.dump(t)
	_, err = s.RestoreDeployment(t.Context(), root, "prod", "")
	wantError(t, err, gatehouse.Conflict, "damaged", "trash folder")
	if s.dump(t) != before {
		t.Error("it has changed something")
	}
}
