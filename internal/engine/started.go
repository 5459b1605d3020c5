package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/gatehouse"
)

// startedNote is the file that says that a managed deployment has data. It lies in the root of the data directory and not beside the data:
// that may be on a disk of its own, which is not mounted one day. The note is there from the first time that the deployment serves until
// its data is freed, so a restored one is not given out as empty either.
func (s *Supervisor) startedNote(id string) string {
	return filepath.Join(s.cfg.DataDir, "started", id)
}

// noteStarted remembers that there is data from now on.
func (m *managed) noteStarted() {
	if m.started == "" || exists(m.started) {
		return
	}
	err := os.MkdirAll(filepath.Dir(m.started), 0o700)
	if err == nil {
		err = writeFresh(m.started, "While this file is here, Gatehouse does not start the deployment without its data.\n")
	}
	if err != nil {
		m.cfg.Log.Warn("a deployment starts empty if its disk is not mounted", "deployment", m.d.ID, "error", err)
	}
}

// requireData refuses to begin anew where there should be data: new samples would go into the mount point of a disk that is missing, and
// the old ones would seem lost. What is looked for is the folder that VictoriaMetrics makes in its -storageDataPath.
func (m *managed) requireData() error {
	if m.started == "" || !exists(m.started) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(m.dir, "data", "data")); !errors.Is(err, fs.ErrNotExist) {
		return nil // another error is one that the program will meet and explain
	}
	return gatehouse.Errorf(gatehouse.Unavailable,
		"the data of this deployment is not in %s; mount the disk it is on or put it back, and Gatehouse starts it. To begin without it, delete %s",
		m.dir, m.started)
}
