package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// trashStamp is when a folder came into the trash. A deployment may be deleted, restored and deleted again.
const trashStamp = "-20060102T150405Z"

func (s *Supervisor) trash() string { return filepath.Join(s.cfg.DataDir, "trash") }

// discard moves the folder of a deleted deployment to the trash, from which it is taken back when the deployment is restored.
func (s *Supervisor) discard(ctx context.Context, id string) {
	s.discardConnected(ctx, id)
	dir := s.folder(id)
	if _, err := os.Stat(dir); err != nil {
		return // connected, or never started
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		s.cfg.Log.Info("the data of a deleted deployment stays where it is", "deployment", id, "reason", err)
		return
	}
	defer unlock()
	if err := endLeftover(ctx, dir, s.cfg.Log); err != nil {
		s.cfg.Log.Error("the data of a deleted deployment stays where it is", "deployment", id, "error", err)
		return
	}
	target := filepath.Join(s.trash(), id+time.Now().UTC().Format(trashStamp))
	if err = os.MkdirAll(s.trash(), 0o700); err == nil {
		err = os.Rename(dir, target)
	}
	if err != nil {
		s.cfg.Log.Error("the data of a deleted deployment stays where it is", "deployment", id, "error", err)
		return
	}
	s.cfg.Log.Info("moved the data of a deleted deployment to the trash", "deployment", id, "folder", target)
}

// discardConnected removes what vmalert needed to evaluate the rules of a deleted connected deployment.
func (s *Supervisor) discardConnected(ctx context.Context, id string) {
	dir := s.connectedFolder(id)
	if _, err := os.Stat(dir); err != nil {
		return
	}
	unlock, err := lockFolder(dir)
	if err == nil {
		defer unlock()
		err = endLeftover(ctx, dir, s.cfg.Log)
	}
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		s.cfg.Log.Warn("the files of a deleted deployment's rules stay where they are", "deployment", id, "error", err)
	}
}

// takeBack moves the folder of a restored deployment out of the trash. Without one it does nothing.
func (s *Supervisor) takeBack(id string) error {
	dir := s.folder(id)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	folders, err := s.trashed(id)
	if err != nil || len(folders) == 0 {
		return err
	}
	newest := slices.Max(folders) // they differ in their time alone
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Rename(newest, dir); err != nil {
		return err
	}
	s.cfg.Log.Info("took the data of a restored deployment back from the trash", "deployment", id)
	return nil
}

// trashed gives the deployment's folders in the trash, or those of all when id is empty.
func (s *Supervisor) trashed(id string) ([]string, error) {
	entries, err := os.ReadDir(s.trash())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look into the trash: %w", err)
	}
	var folders []string
	for _, e := range entries {
		if owner := trashOwner(e.Name()); owner != "" && (id == "" || owner == id) {
			folders = append(folders, filepath.Join(s.trash(), e.Name()))
		}
	}
	return folders, nil
}

// trashOwner gives the ID of the deployment to which a folder in the trash belongs, or "" for one that Gatehouse has not put there.
func trashOwner(name string) string {
	if len(name) <= len(trashStamp) {
		return ""
	}
	id, stamp := name[:len(name)-len(trashStamp)], name[len(name)-len(trashStamp):]
	if _, err := time.Parse(trashStamp, stamp); err != nil {
		return ""
	}
	return id
}

// Trash gives the IDs of the deployments whose data lies in the trash.
func (s *Supervisor) Trash() ([]string, error) {
	folders, err := s.trashed("")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, folder := range folders {
		ids = append(ids, trashOwner(filepath.Base(folder)))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// FreeTrash removes the data of a deployment from the trash, for good. The caller sees to it that the deployment can be restored no
// more. When it is interrupted, calling it again finishes.
func (s *Supervisor) FreeTrash(id string) error {
	if id == "" {
		return nil
	}
	folders, err := s.trashed(id)
	for _, folder := range folders {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	if err != nil {
		return fmt.Errorf("free the data of a deleted deployment: %w", err)
	}
	if namesFolder(id) {
		os.Remove(s.startedNote(id))
	}
	return nil
}
