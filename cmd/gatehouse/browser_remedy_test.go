package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// startFault is something that keeps an engine from starting.
type startFault struct {
	name  string
	cause func(t *testing.T) (mend func())
	shows string // with the remedy
}

// startFaults are faults of the engine in folder, whose program is victoria-metrics in programs.
func startFaults(programs heldPrograms, folder string) []startFault {
	program := filepath.Join(programs.dir, "victoria-metrics")
	moved := func(path string, stub []byte) func(*testing.T) func() {
		return func(t *testing.T) func() {
			t.Helper()
			programs.must(os.Rename(path, path+".moved"))
			if stub != nil {
				programs.must(os.WriteFile(path, stub, 0o755))
			}
			return func() {
				t.Helper()
				os.Remove(path) // a folder takes no file's place
				programs.must(os.Rename(path+".moved", path))
			}
		}
	}
	return []startFault{
		{"its program is missing", moved(program, nil),
			`There is no victoria-metrics program in .*; put one there, or connect a VictoriaMetrics that already runs`},
		{"its program is for another processor", func(t *testing.T) func() { return moved(program, foreignProgram(t))(t) },
			`is not a program for this machine \(.*\); put the right .* there`},
		{"its program is too old", moved(program, []byte("#!/bin/sh\necho 'flag provided but not defined: -search.latencyOffset' >&2\nexit 2\n")),
			`does not know a setting that Gatehouse needs; use VictoriaMetrics v1\.151\.0 or newer .*Last log lines .*flag provided but not defined`},
		{"its port is taken", func(t *testing.T) func() {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			programs.must(err)
			// The real program on a port that is taken: another program was faster than it.
			const script = "#!/bin/sh\n[ \"$1\" = -version ] && exit\n" +
				"exec '%s' $(printf '%%s\\n' \"$@\" | grep -v httpListenAddr) -httpListenAddr=%s\n"
			mend := moved(program, fmt.Appendf(nil, script, engineProgram(t, "victoria-metrics"), l.Addr()))(t)
			return func() { mend(); l.Close() }
		}, `another program took the port meanwhile; Gatehouse picks another one .*Last log lines .*address already in use`},
		{"its data is damaged", func(t *testing.T) func() {
			parts, err := filepath.Glob(filepath.Join(folder, "data/data/small/2*/parts.json"))
			if err != nil || len(parts) == 0 {
				t.Fatalf("there is no list of parts: %v", err)
			}
			return moved(parts[0], []byte("junk"))(t)
		}, `its data in .* may be damaged; put back a backup, or move away the file that is named\. Gatehouse has deleted nothing ` +
			`.*parts\.json.*Last log lines .*panic.*parts\.json`},
		{"its folder is not a folder", moved(folder, []byte("junk")), `something that is not a folder is in the way of .*; move it away`},
	}
}

// foreignProgram is the beginning of a program for a processor that nobody has here.
func foreignProgram(t *testing.T) []byte {
	t.Helper()
	program, err := os.ReadFile(filepath.Join(engineDir(t), "victoria-metrics"))
	if err != nil {
		t.Fatal(err)
	}
	const machine = 18 // where the ELF header names it
	header := program[:64]
	header[machine], header[machine+1] = 0xff, 0x7f
	return header
}

func TestWhatKeepsAnEngineFromStartingIsShownWithItsRemedy(t *testing.T) {
	programs := newHeldPrograms(t)
	p, b := newConsole(t, "/deployments/default", "--engine-dir", programs.dir)
	untouched := p.otherDeployment(t)
	secret := newToken(t, p.dataDir, "default", "t", "rw")
	p.wantWritable(secret, "kept")
	p.wantSample(secret, "kept")
	stayed := b.stay()
	for _, fault := range startFaults(programs, filepath.Join(p.dataDir, "deployments", p.show("default").ID)) {
		must(t, p.dataDir, "", "deployment", "stop", "default")
		p.waitStatus("default", "STOPPED", "stopped by command line") // its engine has ended
		mend := fault.cause(t)
		b.shows(fault.name, func() { must(t, p.dataDir, "", "deployment", "start", "default") }, `Error Single node .*`+fault.shows)
		untouched()
		b.shows(fault.name+", and is mended", mend, `Running Single node Managed`)
		p.wantSample(secret, "kept")
	}
	stayed()
}
