package control

import (
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// Who may do what, method by method, in the letters of rights_test.go.

func (r *rights) deploymentMethods(t *testing.T) []method {
	ctx := t.Context()
	victim := func(t *testing.T, _ gatehouse.Actor) string { return r.connect(t, r.fresh("victim ")).ID }
	managed := func(t *testing.T, _ gatehouse.Actor) string { return r.managed(t, r.fresh("managed victim ")).ID }
	trashed := func(t *testing.T, a gatehouse.Actor) string {
		id := managed(t, a)
		must(t, r.DeleteDeployment(ctx, root, id))
		return id
	}
	plan := func() ImportPlan {
		n := connected(r.fresh("imported "))
		n.URLs = []string{"http://" + r.fresh("vm") + ".example.com:8428"}
		return ImportPlan{Deployments: []gatehouse.NewDeployment{n}, Tokens: []ImportToken{{Name: "t", Access: gatehouse.Read, Secret: secret.From(newCode())}}}
	}
	return []method{
		{name: "Deployments", may: "VEArsof", call: func(a gatehouse.Actor, _ string) error { _, err := r.Deployments(ctx, a); return err }},
		{name: "Deployment", may: "VEArsf", call: func(a gatehouse.Actor, _ string) error { _, err := r.Deployment(ctx, a, "prod"); return err }},
		{name: "CreateDeployment", may: "EAf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.CreateDeployment(ctx, a, gatehouse.NewDeployment{Name: r.fresh("managed "), Type: gatehouse.SingleNode})
			return err
		}},
		{name: "ConnectDeployment", may: "EAf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.ConnectDeployment(ctx, a, connected(r.fresh("connected ")))
			return err
		}},
		{name: "UpdateDeployment", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			settings := r.prod.Settings()
			settings.Name = r.fresh("renamed ")
			if _, err := r.UpdateDeployment(ctx, a, r.prod.ID, settings); err != nil {
				return err
			}
			_, err := r.UpdateDeployment(ctx, a, r.prod.ID, r.prod.Settings())
			return err
		}},
		{name: "ChangeDeployment", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.ChangeDeployment(ctx, a, r.prod.ID, func(*gatehouse.Settings) error { return nil })
			return err
		}},
		{name: "DeleteDeployment", may: "EAf", writes: true, prepare: victim, call: func(a gatehouse.Actor, id string) error { return r.DeleteDeployment(ctx, a, id) }},
		{name: "DeleteDeployment in the list of the key", may: "EAsof", writes: true, prepare: victim, call: func(a gatehouse.Actor, id string) error {
			if a.Deployments != nil {
				a.Deployments = []string{id}
			}
			return r.DeleteDeployment(ctx, a, id)
		}},
		{name: "StopDeployment", may: "EAf", writes: true, prepare: managed, call: func(a gatehouse.Actor, id string) error { return r.StopDeployment(ctx, a, id) }},
		{name: "StopDeployment in the list of the key", may: "EAsof", writes: true, prepare: managed, call: func(a gatehouse.Actor, id string) error {
			if a.Deployments != nil {
				a.Deployments = []string{id}
			}
			return r.StopDeployment(ctx, a, id)
		}},
		{name: "StartDeployment", may: "EAf", writes: true, prepare: managed, call: func(a gatehouse.Actor, id string) error { return r.StartDeployment(ctx, a, id) }},
		{name: "Trash", may: "EArsof", call: func(a gatehouse.Actor, _ string) error { _, err := r.Trash(ctx, a); return err }},
		{name: "Deleted", may: "EArf", prepare: trashed, call: func(a gatehouse.Actor, id string) error { _, err := r.Deleted(ctx, a, id); return err }},
		{name: "RestoreDeployment", may: "EAf", writes: true, prepare: trashed, call: func(a gatehouse.Actor, id string) error {
			_, err := r.RestoreDeployment(ctx, a, id, "")
			return err
		}},
		{name: "FreeDeployment", may: "EAf", writes: true, prepare: trashed, call: func(a gatehouse.Actor, id string) error { return r.FreeDeployment(ctx, a, id) }},
		{name: "FreeTrash", may: "EAf", writes: true, prepare: trashed, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.FreeTrash(ctx, a, time.Now().Add(time.Hour))
			return err
		}},
		{name: "EnsureDefaultDeployment", may: "EAf", call: func(a gatehouse.Actor, _ string) error { return r.EnsureDefaultDeployment(ctx, a) }},
		{name: "Import", may: "EAf", writes: true, call: func(a gatehouse.Actor, _ string) error { _, err := r.Import(ctx, a, plan()); return err }},
		{name: "PreviewImport", may: "EAf", call: func(a gatehouse.Actor, _ string) error { _, err := r.PreviewImport(ctx, a, plan()); return err }},
		{name: "Backup", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error {
			return r.Backup(ctx, a, filepath.Join(t.TempDir(), r.fresh("backup")))
		}},
		{name: "FinishRestore", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { return r.FinishRestore(ctx, a) }},
		{name: "Rekey", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { _, _, err := r.Rekey(ctx, a); return err }},
	}
}

func (r *rights) tokenMethods(t *testing.T) []method {
	ctx := t.Context()
	newToken := func() gatehouse.NewToken {
		return gatehouse.NewToken{DeploymentID: r.prod.ID, Name: r.fresh("token "), Access: gatehouse.Read}
	}
	victim := func(t *testing.T, _ gatehouse.Actor) string {
		doomed, _ := r.server.token(t, r.prod.ID, r.fresh("victim "))
		return doomed.ID
	}
	return []method{
		{name: "Tokens", may: "EArsf", call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.Tokens(ctx, a, gatehouse.TokenQuery{DeploymentID: r.prod.ID})
			return err
		}},
		{name: "Token", may: "EArsf", call: func(a gatehouse.Actor, _ string) error { _, err := r.Token(ctx, a, r.token.ID); return err }},
		{name: "CreateToken", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.CreateToken(ctx, a, newToken())
			return err
		}},
		{name: "CreateTokens", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.CreateTokens(ctx, a, r.prod.ID, []gatehouse.NewToken{newToken(), newToken()})
			return err
		}},
		{name: "RevealToken that writes", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error { _, err := r.RevealToken(ctx, a, r.token.ID); return err }},
		{name: "RevealToken that reads", may: "EArsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.RevealToken(ctx, a, r.readToken.ID)
			return err
		}},
		{name: "RevokeToken", may: "EAsf", writes: true, prepare: victim, call: func(a gatehouse.Actor, id string) error { return r.RevokeToken(ctx, a, id) }},
	}
}

func (r *rights) ruleMethods(t *testing.T) []method {
	ctx := t.Context()
	content := func(group string) []byte {
		return []byte("groups:\n- name: " + group + "\n  rules:\n  - record: r\n    expr: up\n")
	}
	managed := func(t *testing.T, _ gatehouse.Actor) string { return r.managed(t, r.fresh("managed ")).ID }
	put := func(t *testing.T, _ gatehouse.Actor) string {
		name := r.fresh("rules") + ".yml"
		must(t, r.PutRuleFile(ctx, root, r.prod.ID, name, content(name)))
		return name
	}
	return []method{
		{name: "RuleFiles", may: "EArsf", call: func(a gatehouse.Actor, _ string) error { _, err := r.RuleFiles(ctx, a, r.prod.ID); return err }},
		{name: "RuleFile", may: "EArsf", prepare: put, call: func(a gatehouse.Actor, name string) error { _, err := r.RuleFile(ctx, a, r.prod.ID, name); return err }},
		{name: "PutRuleFile", may: "EAsf", writes: true, call: func(a gatehouse.Actor, _ string) error {
			name := r.fresh("new") + ".yml"
			return r.PutRuleFile(ctx, a, r.prod.ID, name, content(name))
		}},
		{name: "DeleteRuleFile", may: "EAsf", writes: true, prepare: put, call: func(a gatehouse.Actor, name string) error { return r.DeleteRuleFile(ctx, a, r.prod.ID, name) }},
		{name: "Evaluation", may: "EArsf", call: func(a gatehouse.Actor, _ string) error { _, err := r.Evaluation(ctx, a, r.prod.ID); return err }},
		{name: "SetNotifier", may: "EAsof", writes: true, prepare: managed, call: func(a gatehouse.Actor, id string) error {
			if a.Deployments != nil {
				a.Deployments = []string{id}
			}
			return r.SetNotifier(ctx, a, id, "http://alertmanager.example.com:9093")
		}},
		{name: "Log", may: "EArsof", prepare: managed, call: func(a gatehouse.Actor, id string) error {
			if a.Deployments != nil {
				a.Deployments = []string{id}
			}
			_, err := r.Log(ctx, a, id, gatehouse.EngineLog, 10)
			if gatehouse.ErrorCode(err) == gatehouse.Unavailable { // no engines run in this test
				return nil
			}
			return err
		}},
	}
}

func (r *rights) apiKeyMethods(t *testing.T) []method {
	ctx := t.Context()
	newKey := func() gatehouse.NewAPIKey { return gatehouse.NewAPIKey{Name: r.fresh("key ")} }
	victim := func(t *testing.T, _ gatehouse.Actor) string {
		k, _, err := r.CreateAPIKey(ctx, root, newKey())
		must(t, err)
		return k.ID
	}
	return []method{
		{name: "APIKeys", may: "Arf", call: func(a gatehouse.Actor, _ string) error { _, err := r.APIKeys(ctx, a); return err }},
		{name: "APIKey", may: "Arf", call: func(a gatehouse.Actor, _ string) error { _, err := r.APIKey(ctx, a, r.key.ID); return err }},
		{name: "CreateAPIKey", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { _, _, err := r.CreateAPIKey(ctx, a, newKey()); return err }},
		{name: "RevealAPIKey", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { _, err := r.RevealAPIKey(ctx, a, r.key.ID); return err }},
		{name: "RevokeAPIKey", may: "Af", writes: true, prepare: victim, call: func(a gatehouse.Actor, id string) error { return r.RevokeAPIKey(ctx, a, id) }},
	}
}

func (r *rights) userMethods(t *testing.T) []method {
	ctx := t.Context()
	email := func() string { return r.fresh("new") + "@example.com" }
	invited := func(t *testing.T, _ gatehouse.Actor) string {
		u, _, err := r.InviteUser(ctx, root, email(), gatehouse.Viewer)
		must(t, err)
		return u.ID
	}
	disabled := func(t *testing.T, a gatehouse.Actor) string {
		id := invited(t, a)
		must(t, r.DisableUser(ctx, root, id))
		return id
	}
	return []method{
		{name: "Users", may: "Arf", call: func(a gatehouse.Actor, _ string) error { _, err := r.Users(ctx, a); return err }},
		{name: "User", may: "Arf", call: func(a gatehouse.Actor, _ string) error { _, err := r.User(ctx, a, r.user.ID); return err }},
		{name: "CreateUser", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, err := r.CreateUser(ctx, a, NewUser{Email: email(), Role: gatehouse.Viewer, Password: password})
			return err
		}},
		{name: "InviteUser", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.InviteUser(ctx, a, email(), gatehouse.Admin)
			return err
		}},
		{name: "SetPassword", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { return r.SetPassword(ctx, a, r.user.ID, password) }},
		{name: "PasswordLink", may: "Af", writes: true, call: func(a gatehouse.Actor, _ string) error { _, err := r.PasswordLink(ctx, a, r.user.ID); return err }},
		{name: "SetRole", may: "Af", writes: true, prepare: invited, call: func(a gatehouse.Actor, id string) error { return r.SetRole(ctx, a, id, gatehouse.Admin) }},
		{name: "DisableUser", may: "Af", writes: true, prepare: invited, call: func(a gatehouse.Actor, id string) error { return r.DisableUser(ctx, a, id) }},
		{name: "EnableUser", may: "Af", writes: true, prepare: disabled, call: func(a gatehouse.Actor, id string) error { return r.EnableUser(ctx, a, id) }},
		{name: "DeleteUser", may: "Af", writes: true, prepare: invited, call: func(a gatehouse.Actor, id string) error { return r.DeleteUser(ctx, a, id) }},
	}
}

// ownMethods are those that concern the actor's own account.
func (r *rights) ownMethods(t *testing.T) []method {
	ctx := t.Context()
	session := func(t *testing.T, a gatehouse.Actor) string {
		u, hash, err := r.store.User(ctx, a.ID)
		if err != nil {
			return "no session"
		}
		id, s := newSession(at("192.0.2.7"))
		must(t, r.store.CreateSession(ctx, secret.Hash(id), u.ID, hash, s, event(a, gatehouse.SignedIn, u.ID, u.Email)))
		return s.ID
	}
	return []method{
		{name: "SignOut", may: "-?VEArsof", call: func(a gatehouse.Actor, _ string) error { return r.SignOut(ctx, a, "the session's ID is the proof") }},
		{name: "Sessions", may: "VEA", call: func(a gatehouse.Actor, _ string) error { _, err := r.Sessions(ctx, a, "cookie"); return err }},
		{name: "EndSession", may: "VEA", writes: true, prepare: session, call: func(a gatehouse.Actor, id string) error { return r.EndSession(ctx, a, id) }},
		{name: "ChangePassword", may: "VEA", writes: true, call: func(a gatehouse.Actor, _ string) error {
			return r.ChangePassword(ctx, a, password, password, "cookie")
		}},
	}
}

func (r *rights) auditMethods(t *testing.T) []method {
	ctx := t.Context()
	ofProd := gatehouse.AuditQuery{DeploymentID: r.prod.ID}
	each := func(gatehouse.AuditEvent) error { return nil }
	return []method{
		{name: "Audit", may: "EArsof", call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.Audit(ctx, a, gatehouse.AuditQuery{})
			return err
		}},
		{name: "Audit of a deployment", may: "EArsf", call: func(a gatehouse.Actor, _ string) error { _, _, err := r.Audit(ctx, a, ofProd); return err }},
		{name: "ExportAudit", may: "EArsof", writes: true, call: func(a gatehouse.Actor, _ string) error { return r.ExportAudit(ctx, a, gatehouse.AuditQuery{}, each) }},
		{name: "ExportAudit of a deployment", may: "EArsf", writes: true, call: func(a gatehouse.Actor, _ string) error { return r.ExportAudit(ctx, a, ofProd, each) }},
		{name: "VerifyAudit", may: "EArf", call: func(a gatehouse.Actor, _ string) error {
			_, _, err := r.VerifyAudit(ctx, a, gatehouse.AuditHead{})
			return err
		}},
		// There is nothing old enough to remove.
		{name: "PruneAudit", may: "Af", call: func(a gatehouse.Actor, _ string) error {
			_, err := r.PruneAudit(ctx, a, time.Now().Add(-MinAuditRetention))
			return err
		}},
	}
}
