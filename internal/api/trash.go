package api

import (
	"time"

	"gatehouse/internal/gatehouse"
)

type deletedDeployment struct {
	ID              string    `json:"id" doc:"UUID of the deployment." example:"0d9b24bb-60c3-4e0c-9ddc-0b5a2ea7a9c1"`
	Name            string    `json:"name" doc:"Name that it had." example:"production"`
	Type            string    `json:"type" doc:"Shape of the deployment." enum:"single_node,cluster" example:"single_node"`
	DeletedAt       time.Time `json:"deleted_at" doc:"When it was deleted." example:"2026-11-24T12:00:00Z"`
	DeletedBy       string    `json:"deleted_by" doc:"Who deleted it." example:"ops@example.com"`
	RestorableUntil time.Time `json:"restorable_until" doc:"When its data is freed." example:"2026-12-01T12:00:00Z"`
	Damaged         bool      `json:"damaged" doc:"Whether what is stored of it is damaged, so that it cannot be restored."`
}

func (a *api) listTrash(c call[none]) ([]deletedDeployment, error) {
	all, err := a.Control.Trash(c.ctx, c.actor)
	list := make([]deletedDeployment, 0, len(all))
	for _, d := range all {
		list = append(list, deletedDeployment{
			ID: d.Deployment.ID, Name: d.Deployment.Name, Type: string(d.Deployment.Type), DeletedAt: d.DeletedAt, DeletedBy: d.DeletedBy,
			RestorableUntil: d.DeletedAt.Add(a.TrashRetention), Damaged: d.Damaged,
		})
	}
	return list, err
}

// deleted gives the ID that the path names, of a deployment in the trash that the key is for. control would take a name too.
func (c call[In]) deleted(a *api) (string, error) {
	missing := gatehouse.Errorf(gatehouse.NotFound, "there is no deployment with this ID in the trash; GET %s/trash lists what there is", Prefix)
	id, ok := canonicalID(c.path("deleted"))
	if !ok {
		return "", missing
	}
	d, err := a.Control.Deleted(c.ctx, c.actor, id)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound || err == nil && d.Deployment.ID != id { // or one whose name is another one's ID
		return "", missing
	}
	return id, err
}

type restoredDeployment struct {
	Name string `json:"name" doc:"New name, for when the old one is in use by now. Left out: the old one." example:"production again"`
}

func (a *api) restoreDeployment(c call[restoredDeployment]) (deployment, error) {
	id, err := c.deleted(a)
	if err != nil {
		return deployment{}, err
	}
	d, err := a.Control.RestoreDeployment(c.ctx, c.actor, id, c.in.Name)
	if err != nil {
		return deployment{}, err
	}
	return a.deploymentOf(d), nil
}

func (a *api) freeDeployment(c call[none]) (none, error) {
	id, err := c.deleted(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.FreeDeployment(c.ctx, c.actor, id)
}
