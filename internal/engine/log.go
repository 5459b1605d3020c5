package engine

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	mostLogBytes = 10 << 20 // a larger log, such as engine.log, becomes engine.log.1
	mostLogRead  = 1 << 20  // of the end of a log, when it is shown or searched
)

// openLog opens the log of a program for the next process to append to, and gives the length it has. A large one is put aside first.
func openLog(path string) (*os.File, int64, error) {
	if fi, err := os.Stat(path); err == nil && fi.Size() > mostLogBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// capLog keeps the log of a running engine small. After a failure, on a full disk for example, it waits before it tries again.
func (p *process) capLog(log *slog.Logger) {
	fi, err := os.Stat(p.files.log())
	if err != nil || fi.Size() <= mostLogBytes || time.Now().Before(p.nextCap) {
		return
	}
	if err := shortenLog(p.files.log()); err != nil {
		log.Warn("cannot shorten the log of a program", "error", err)
		p.nextCap = time.Now().Add(time.Minute)
		return
	}
	p.logStart = 0
}

// shortenLog moves the older part of a large log to a file beside it. The engine holds the log open and cannot be told to open
// another one, so the part is copied and then cut off at the front of the same file, which loses nothing. Where the file system
// cannot do that (it must be ext4 or XFS), the whole file is copied and emptied, and a line written between the two is lost.
func shortenLog(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	older, err := os.OpenFile(path+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer older.Close()
	// Only whole blocks can be cut off, and never up to the end. A MiB is a multiple of every block size.
	n := (fi.Size() - 1) >> 20 << 20
	if _, err := io.CopyN(older, f, n); err != nil {
		return err
	}
	if dropFront(f, n) == nil {
		return nil
	}
	if _, err := io.Copy(older, f); err != nil {
		return err
	}
	return f.Truncate(0)
}

// ProgramLog gives the last lines, at most that many, of what a program that Gatehouse runs for the deployment has logged, oldest first. At most 1 MiB of each of its two files is read.
func (s *Supervisor) ProgramLog(deploymentID string, program gatehouse.LogName, lines int) ([]string, error) {
	path := filepath.Join(s.folder(deploymentID), string(program)+".log")
	if program == gatehouse.VmalertLog {
		path = vmalertFiles(s.folder(deploymentID)).log()
		if elsewhere := vmalertFiles(s.connectedFolder(deploymentID)).log(); exists(elsewhere) {
			path = elsewhere
		}
	}
	if _, err := os.Stat(path); !namesFolder(deploymentID) || !namesFolder(string(program)) || errors.Is(err, fs.ErrNotExist) {
		return nil, gatehouse.Errorf(gatehouse.NotFound, "this deployment has no %s", program.Missing())
	} else if err != nil {
		return nil, err
	}
	text := readFrom(path, 0)
	if strings.Count(text, "\n") < lines {
		text = readFrom(path+".1", 0) + text
	}
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return slices.Clone(all[max(0, len(all)-max(lines, 0)):]), nil
}

// readFrom gives what a file holds from the offset on, at most the last MiB. A file that is not there is empty.
func readFrom(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		offset = max(offset, fi.Size()-mostLogRead)
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, offset, mostLogRead))
	return string(text)
}
