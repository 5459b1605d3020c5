package main

import (
	"context"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type deploymentStop struct {
	Name string `arg:"" help:"Name or ID."`
}

func (k *deploymentStop) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.StopDeployment(ctx, actor, k.Name)
	})
}

type deploymentStart struct {
	Name string `arg:"" help:"Name or ID."`
}

func (k *deploymentStart) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.StartDeployment(ctx, actor, k.Name)
	})
}

type deploymentTrash struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// deletedJSON is a deployment in the trash as --json prints it.
type deletedJSON struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	DeletedAt time.Time `json:"deleted_at"`
	DeletedBy string    `json:"deleted_by"`
}

func (k *deploymentTrash) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		all, err := ctl.Trash(ctx, actor)
		if err != nil {
			return err
		}
		out := []deletedJSON{}
		rows := [][]string{{"NAME", "ID", "DELETED", "BY"}}
		for _, d := range all {
			out = append(out, deletedJSON{d.Deployment.ID, d.Deployment.Name, d.DeletedAt, d.DeletedBy})
			rows = append(rows, []string{d.Deployment.Name, d.Deployment.ID, timeText(d.DeletedAt), d.DeletedBy})
		}
		if k.JSON {
			return printJSON(s.out, out)
		}
		return printTable(s.out, rows)
	})
}

type deploymentRestore struct {
	Name   string `arg:"" help:"Name or ID, as gatehouse deployment trash lists it."`
	Rename string `help:"New name, if the old one is in use by now." placeholder:"NAME"`
	JSON   bool   `help:"Print JSON." name:"json"`
}

func (k *deploymentRestore) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		d, err := ctl.RestoreDeployment(ctx, actor, k.Name, k.Rename)
		return s.printCreated(d, k.JSON, err)
	})
}

type deploymentFree struct {
	Name string `arg:"" help:"Name or ID, as gatehouse deployment trash lists it."`
}

func (k *deploymentFree) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.FreeDeployment(ctx, actor, k.Name)
	})
}

// emptyTrashEvery is how soon data is removed after it was given up.
const emptyTrashEvery = 30 * time.Second

// emptyTrash frees what has been in the trash for long enough, until ctx ends.
func (s *server) emptyTrash(ctx context.Context) {
	every(ctx, emptyTrashEvery, func() {
		if err := s.freeTrash(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the trash could not be emptied; Gatehouse tries again", "error", err)
		}
	})
}

// freeTrash gives up what was deleted long ago, and removes the data of all that was given up, here or on the command line. Other
// folders in the trash are left alone: those of another database, or of a time when nothing was freed.
func (s *server) freeTrash(ctx context.Context) error {
	actor := gatehouse.Actor{Kind: gatehouse.System, Name: "trash", Role: gatehouse.Admin}
	if _, err := s.control.FreeTrash(ctx, actor, time.Now().Add(-s.trashRetention)); err != nil {
		return err
	}
	ids, err := s.engines.Trash()
	if err != nil {
		return err
	}
	for _, id := range ids {
		freed, err := s.store.WasFreed(ctx, id)
		if err != nil {
			return err
		}
		if !freed {
			continue
		}
		if err := s.engines.FreeTrash(id); err != nil {
			return err
		}
		s.log.Info("freed the data of a deleted deployment", "deployment", id)
	}
	return nil
}
