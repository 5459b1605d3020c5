package sqlite

import (
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestADamagedDeploymentInTheTrashDoesNotHideTheOthers(t *testing.T) {
	s := newStore(t)
	ids := map[string]string{}
	for _, name := range []string{"bad row", "bad rules", "good"} {
		d := deployment(name)
		d.Managed, d.URLs = true, nil
		ids[name] = d.ID
		must(t, s.CreateDeployment(t.Context(), d, token(d.ID, "default")))
	}
	run(t, s, `UPDATE deployments SET retention = 'junk' WHERE name = 'bad row'`)
	for _, id := range ids {
		must(t, s.DeleteDeployment(t.Context(), id, event(gatehouse.DeploymentDeleted, id)))
	}
	run(t, s, `UPDATE deleted_deployments SET rule_files = '{' WHERE name = 'bad rules'`)
	all, err := s.Trash(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("the trash lists %+v, %v", all, err)
	}
	for _, d := range all {
		if d.Damaged != (d.Deployment.Name != "good") || d.Deployment.ID != ids[d.Deployment.Name] || d.DeletedBy != admin.Name || !d.DeletedAt.Equal(start) {
			t.Errorf("it lists %+v", d)
		}
		must(t, s.FreeDeployment(t.Context(), d.Deployment.ID, event(gatehouse.DataFreed, d.Deployment.ID)))
	}
}
