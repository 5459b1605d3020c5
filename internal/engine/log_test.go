package engine

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestTheLogIsShortenedWhileItIsWrittenAndLosesNoLine(t *testing.T) {
	dir := t.TempDir()
	f, _, err := openLog(logPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	padding := strings.Repeat("x", 1000)
	shortened := make(chan bool, 1)
	const lines = 15_000
	for i := range lines {
		if i == lines*3/4 { // 11 MB
			go func() {
				p := process{dir: dir, files: engineFiles(dir), logStart: 1}
				p.capLog(slog.Default())
				shortened <- p.logStart == 0
			}()
		}
		fmt.Fprintln(f, i, padding)
	}
	if !<-shortened {
		t.Fatal("the log was left as it is")
	}
	older, err := os.ReadFile(logPath(dir) + ".1")
	if err != nil {
		t.Fatal(err)
	}
	newer, err := os.ReadFile(logPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(newer) > 6<<20 {
		t.Errorf("engine.log still has %d bytes", len(newer))
	}
	next, lost := 0, 0
	for line := range strings.Lines(string(older) + string(newer)) {
		var n int
		fmt.Sscan(line, &n)
		lost += n - next
		next = n + 1
	}
	// Where the file system cannot cut a file at its front, a few lines may be lost.
	if most := map[bool]int{true: 0, false: 100}[cutsFront(t)]; lost > most || next != lines {
		t.Errorf("%d lines are lost; the last one is %d of %d", lost, next, lines)
	}
}

func cutsFront(t *testing.T) bool {
	path := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(path, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return dropFront(f, 1<<20) == nil
}

func TestTheLogIsPutAsideWhenAnEngineStarts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(logPath(dir), make([]byte, mostLogBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, start, err := openLog(logPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if fi, err := os.Stat(logPath(dir) + ".1"); err != nil || fi.Size() != mostLogBytes+1 || start != 0 {
		t.Errorf("engine.log.1: %v, %v; the new log begins at %d", fi, err, start)
	}
}

func TestALogGivesTheLastLinesAcrossBothFiles(t *testing.T) {
	w := supervise(t, t.TempDir(), t.TempDir())
	dir := w.folder(testID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"engine.log.1": "one\ntwo\nthr", "engine.log": "ee\nfour\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int][]string{1: {"four"}, 3: {"two", "three", "four"}, 100: {"one", "two", "three", "four"}, 0: {}} {
		if got, err := w.ProgramLog(testID, gatehouse.EngineLog, n); err != nil || !slices.Equal(got, want) {
			t.Errorf("the log of %d lines = %q, %v; want %q", n, got, err, want)
		}
	}
}
